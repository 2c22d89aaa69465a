"""What is done again and again finds what is due by an index, however large its tables have grown."""

import pytest

from app.db import Database
from app.services.kernel.manifest import manifest
from tests.helpers.databases import ON_POSTGRESQL
from tests.helpers.plans import scanning, sent

# Tables that stay small, or have at most a row for each phone. Exports are forgotten after a day.
SMALL = {
    "bulk_export",
    "feed_head",
    "figure_fold",
    "figure_kept",
    "figure_stale",
    "auth_session",
    "device",
    "webhook_secret",
}


@pytest.mark.skipif(not ON_POSTGRESQL, reason="its planner is asked")
def test_it_reads_no_large_table_from_end_to_end(database: Database) -> None:
    works = [each for capability in manifest().capabilities for each in capability.upkeep]
    for upkeep in works:
        upkeep.run(database)
    with sent(database) as statements:
        for upkeep in works:
            upkeep.run(database)
    assert len(statements) > len(works)
    found = {text: tables for text, tables in scanning(database, statements) if tables - SMALL}
    assert found == {}
