"""What all four build contexts have in common."""

import os
import re
from pathlib import Path

import pytest

from tests.reference.processes import FILES

CONTEXTS = ["osp-proxy", "osp-sdk", "sayhello-service-engine", "zookeeper"]
START_SCRIPTS = {
    "osp-proxy": "osp-proxy-default.sh",
    "osp-sdk": "osp-sdk-default.sh",
    "sayhello-service-engine": "osp-default.sh",
    "zookeeper": "zookeeper-default.sh",
}


def dockerfile(context: str) -> str:
    return (FILES / context / "Dockerfile").read_text()


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_classic_contract(context: str) -> None:
    text = dockerfile(context)
    assert text.startswith("ARG BASE_IMAGE=debian:bookworm-slim\nFROM ${BASE_IMAGE}\n")
    assert f"WORKDIR /usr/local/{context}\n" in text
    assert f'"/usr/local/{context}/logs"]\n' in text
    assert f"ENV PATH=${{PATH}}:/usr/local/{context}/bin\n" in text
    assert "USER 10080:10080\n" in text
    assert text.endswith(f'CMD ["{START_SCRIPTS[context]}", "start"]\n')


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_real_process_takes_the_place_of_the_start_script(context: str) -> None:
    text = (FILES / context / "bin" / START_SCRIPTS[context]).read_text()
    assert re.search(r"\bexec (java|python3|\"\$\(dirname)", text)


@pytest.mark.parametrize("context", CONTEXTS)
def test_everything_that_is_copied_is_there_and_scripts_can_be_run(context: str) -> None:
    for source in re.findall(r"^COPY (\S+) ", dockerfile(context), re.MULTILINE):
        assert (FILES / context / source).exists()
    for script in (FILES / context / "bin").iterdir():
        assert os.access(script, os.X_OK)


def test_images_with_python_share_their_first_layers() -> None:
    firsts = {dockerfile(context).split("\n\n")[1] for context in CONTEXTS[:3]}
    assert len(firsts) == 1


def test_common_code_is_linked_not_copied() -> None:
    for context in CONTEXTS[:3]:
        link = FILES / context / "osp_common"
        assert link.readlink() == Path("../common/osp_common")
