-- Drop a batch of what deleted databases have left; whether there is more.
SELECT postgate_internal.finish_deletions()
