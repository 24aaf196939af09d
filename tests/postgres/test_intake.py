"""How much of a result has come is known while it comes."""

import time

import pytest
from support.service import Service

from postgate.config import Config
from postgate.postgres.connection import SHARED, Backend, connect
from postgate.postgres.pipeline import Command, Pipeline

SIZE = 4_000_000
# libpq's buffer of a new connection, and its first read.
UNCOUNTED = 32_768


@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_value_is_counted_though_its_beginning_came_with_small_results(shared_service: Service, before: int) -> None:
    config = Config(conninfo=shared_service.conninfo)
    with (
        connect(Backend(SHARED, shared_service.conninfo), config) as connection,
        Pipeline(connection, 10_000) as pipeline,
    ):
        for _ in range(before):
            pipeline.send_own(Command(b"SELECT 1"))
        pipeline.send(Command(b"SELECT repeat('x', %d)" % SIZE))
        pipeline.commit()
        # The server is ahead: the socket is full when we read.
        time.sleep(0.2)
        pipeline.own_results()
        time.sleep(0.2)
        arrived = [pipeline.arrived for result in pipeline.results() if len(result.get_value(0, 0) or b"") == SIZE]
        pipeline.finish()
    assert [SIZE - UNCOUNTED <= size <= SIZE + UNCOUNTED for size in arrived] == [True]
