"""The base of everything that the user writes in group_data."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Data(BaseModel):
    """Refuses unknown keys and wrong types: "1080" is no port."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _absolute(path: str) -> str:
    """Docker splits a volume at ':', the probe a line at '|'."""
    has_sign = any(c in ":|" or not c.isprintable() for c in path)
    if not path.startswith("/") or "/../" in f"{path}/" or has_sign:
        raise ValueError(f"expected an absolute path without '..', ':' or '|', found '{path}'")
    return path.rstrip("/") or "/"


def _word(value: str) -> str:
    if value.startswith("-") or any(c.isspace() for c in value):
        raise ValueError(f"expected one word that does not start with '-', found '{value}'")
    return value


AbsolutePath = Annotated[str, AfterValidator(_absolute)]
Word = Annotated[str, Field(min_length=1), AfterValidator(_word)]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[int, Field(ge=1, le=86400)]
