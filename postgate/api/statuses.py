"""The HTTP status of an error of PostgreSQL, where POSTGATE_STATUS_BY_SQLSTATE wants it to say whose fault it is."""

# The status by the longest beginning of the SQLSTATE, as PostgREST gives it (its manual, "HTTP Status Codes"), but for
# 25006, where 405 would speak of the HTTP method, and for what the client can mend or send again: 40, 54, 55, 23P01.
_BY_BEGINNING = {
    "": 400,
    "08": 503,
    "09": 500,
    "0L": 403,
    "0P": 403,
    "22": 400,
    "23": 400,
    "23503": 409,
    "23505": 409,
    "23P01": 409,
    "25": 500,
    "25006": 403,
    "28": 403,
    "2D": 500,
    "38": 500,
    "39": 500,
    "3B": 500,
    "40": 409,
    "42": 400,
    "42501": 403,
    "42883": 404,
    "42P01": 404,
    "42P17": 500,
    "53": 503,
    "53400": 500,
    "54": 400,
    "55": 409,
    "57": 500,
    "58": 500,
    "F0": 500,
    "HV": 500,
    "P0": 500,
    "P0001": 400,
    "XX": 500,
}


def of_sqlstate(sqlstate: str) -> int:
    """The status for a SQLSTATE, which may be one that a function of the tenant's own has made up."""
    return next(status for length in (5, 2, 0) if (status := _BY_BEGINNING.get(sqlstate[:length])) is not None)
