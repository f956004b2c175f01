"""The downloads that run, as others see them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from pacserve.packages.files import FileRequest
from pacserve.web.bodies.arriving import ArrivingFile


class RunningDownloads(Protocol):
    """Knows what is being downloaded."""

    @abstractmethod
    async def running(self, request: FileRequest) -> ArrivingFile | None:
        """
        Returns the file of the download that runs for a request; None where there is none, and none is started.

        It is given once the first byte has arrived: before that nobody knows of which version it is, and who goes on with it at some byte could not
        tell whether that is the file that it has the beginning of.
        """
