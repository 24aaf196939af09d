SELECT postgate_internal.enter($1, $2, $3, $4)
