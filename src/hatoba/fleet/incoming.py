"""What nodes bring beside their reports: lines and files of logs, questions, figures.

Each is taken from the node that has what it is about, and from no other. Lines, questions and files are handed to whom
the composition root named; of figures the latest are kept, in memory only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from hatoba.core.errors import AwsError, PortError
from hatoba.fleet import messages as msg
from hatoba.fleet import model as m
from hatoba.store import Change
from hatoba.store.store import View

Ingest = Callable[[m.Workload, msg.Logs], Awaitable[None]]
Answer = Callable[[m.Workload, str], Awaitable[bytes]]
Deliver = Callable[[str, msg.LogFile], Awaitable[None]]

_FORGOTTEN = "the workload is forgotten, or another node's"


class Incoming:
    def __init__(
        self, view: View, ingest: Ingest, *, answer: Answer | None = None, deliver: Deliver | None = None
    ) -> None:
        """`answer`: what a node asks about one of its workloads. Raises `AwsError` when there is no answer. `deliver`
        takes a file of a node's load balancers. Raises `AwsError` when it is not the node's to bring, `PortError` when
        it may work later."""
        self.samples: dict[tuple[str, str], msg.Sample] = {}  # by (workload, container): the latest
        self.traffic: dict[str, bytes] = {}  # by balancer: the latest
        self._view = view
        self._ingest = ingest
        self._answer = answer
        self._deliver = deliver

    async def lines(self, node: str, logs: msg.Logs) -> msg.LogsKept:
        """Raises `PortError` when it may work later; what is answered with an error can never be kept."""
        workload = self._workload(node, logs.workload)
        if workload is None:
            return msg.LogsKept(number=logs.number, error="gone", detail=_FORGOTTEN)
        try:
            await self._ingest(workload, logs)
        except AwsError as error:
            return msg.LogsKept(number=logs.number, error=error.code, detail=error.message)
        return msg.LogsKept(number=logs.number)

    async def question(self, node: str, question: msg.Ask) -> msg.Told:
        """Only about what is the node's own: it learns nothing of the others' workloads."""
        workload = self._workload(node, question.workload)
        if workload is None or self._answer is None:
            return msg.Told(number=question.number, error="gone", detail=_FORGOTTEN)
        try:
            return msg.Told(number=question.number, body=await self._answer(workload, question.what))
        except AwsError as error:
            return msg.Told(number=question.number, error=error.code, detail=error.message)

    async def file(self, node: str, file: msg.LogFile) -> msg.LogsKept:
        """What is away for a while holds up nothing else that the node has to say."""
        if self._deliver is None:
            return msg.LogsKept(number=file.number, error=msg.LATER, detail="nobody takes files here")
        try:
            await self._deliver(node, file)
        except AwsError as error:
            return msg.LogsKept(number=file.number, error=error.code, detail=error.message)
        except PortError as error:
            return msg.LogsKept(number=file.number, error=msg.LATER, detail=error.message)
        return msg.LogsKept(number=file.number)

    def figures(self, node: str, message: msg.Samples) -> None:
        for sample in message.samples:
            workload = self._workload(node, sample.workload)
            if workload and any(sample.container == container.name for container in workload.containers):
                self.samples[sample.workload, sample.container] = sample
        for traffic in message.traffic:
            if any(b.node == node for b in self._view.index(m.balancers, "id", traffic.balancer)):
                self.traffic[traffic.balancer] = traffic.body

    def forget(self, change: Change[Any]) -> None:
        """The figures of what a change has ended."""
        if change.after is not None:
            return
        match change.before:
            case m.Workload() as workload:
                for container in workload.containers:
                    self.samples.pop((change.key.id, container.name), None)
            case m.Balancer():
                self.traffic.pop(change.key.id, None)

    def _workload(self, node: str, id_: str) -> m.Workload | None:
        return next((w for w in self._view.index(m.workloads, "id", id_) if w.node == node), None)
