"""The functions that a statement may call, and those it must not reach in any way."""

from pathlib import Path

_HERE = Path(__file__).parent


def _names(file: str) -> frozenset[str]:
    return frozenset((_HERE / file).read_text().split())


# These files are written by scripts/generate_functions.py.
ALLOWED_FUNCTIONS = _names("functions.txt")
# The harmful functions of pg_catalog, besides all that begin with pg_ and are not allowed.
REFUSED_FUNCTIONS = _names("refused_functions.txt")
# What x.f must not mean. Where x is a row of one plain value, PostgreSQL calls f with it or casts it to the type f; a
# value can name any relation, so functions that take or give names are refused even where a call is allowed. So is any
# other function of one argument that is not allowed: also input and output functions can be called like this.
REFUSED_FIELDS = (
    REFUSED_FUNCTIONS | _names("field_functions.txt") | {"currval", "lastval", "nextval", "setval", "pg_typeof"}
)
# Functions of the extensions that a database may have; none of them runs text as SQL, sets anything or reaches a file.
EXTENSION_FUNCTIONS = frozenset(
    """
    binary_quantize cosine_distance hamming_distance inner_product jaccard_distance l1_distance l2_distance l2_norm
    l2_normalize subvector vector_dims vector_norm
    show_trgm similarity strict_word_similarity word_similarity
    unaccent
    crypt digest gen_salt hmac
    uuid_generate_v1 uuid_generate_v1mc uuid_generate_v3 uuid_generate_v4 uuid_generate_v5
    uuid_nil uuid_ns_dns uuid_ns_oid uuid_ns_url uuid_ns_x500
    daitch_mokotoff difference dmetaphone dmetaphone_alt levenshtein levenshtein_less_equal metaphone soundex
    akeys avals defined delete each exist hstore hstore_to_array hstore_to_json hstore_to_json_loose
    hstore_to_jsonb hstore_to_jsonb_loose hstore_to_matrix populate_record skeys slice svals
    """.split()
)
# With more than one argument the first names a text search configuration.
SEARCH_FUNCTIONS = frozenset(
    """
    json_to_tsvector jsonb_to_tsvector phraseto_tsquery plainto_tsquery to_tsquery to_tsvector ts_headline
    websearch_to_tsquery
    """.split()
)
