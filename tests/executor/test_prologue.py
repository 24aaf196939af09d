"""What opens a transaction on a dedicated database sets what postgate_internal.enter sets on the shared one."""

import re

from support.paths import ROOT

from postgate.sql_files import read_sql

SETTING = re.compile(r"set_config\('(\w+)', '([^']*)', true\)")


def test_a_dedicated_database_has_the_settings_of_the_shared_one() -> None:
    shared = dict(SETTING.findall((ROOT / "alembic" / "sql" / "present" / "enter.sql").read_text()))
    dedicated = dict(SETTING.findall(read_sql("executor", "enter_dedicated").decode()))
    assert len(shared) > 10
    assert dedicated == shared | {"search_path": "public, pg_temp"}
