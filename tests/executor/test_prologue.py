"""What opens a transaction sets what postgate_internal.enter sets, wherever it runs."""

import re

from support.paths import ROOT

from postgate.sql_files import read_sql

SETTING = re.compile(r"set_config\('(\w+)', '([^']*)', true\)")


def test_a_dedicated_database_has_the_settings_of_the_shared_one() -> None:
    shared = dict(SETTING.findall((ROOT / "alembic" / "sql" / "present" / "enter.sql").read_text()))
    dedicated = dict(SETTING.findall(read_sql("executor", "enter_dedicated").decode()))
    assert len(shared) > 10
    assert dict(SETTING.findall(read_sql("executor", "enter").decode())) == shared
    assert dedicated == shared | {"search_path": "public, pg_temp"}
