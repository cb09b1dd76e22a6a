"""The lock files hold what setup.cfg asks for, with hashes, and say nothing of where from."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from app.services.jars import KAFKA_VERSION, pinned_jars

ROOT = Path(__file__).parents[2]


def pinned(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[\S+\])?==(\S+)", text, re.M))


def asked(section: str, option: str) -> list[Requirement]:
    config = ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg")
    return [Requirement(line) for line in config[section][option].split("\n") if line]


@pytest.mark.parametrize(
    ("lock", "section", "option"),
    [
        ("requirements.txt", "options", "install_requires"),
        ("requirements-test.txt", "options", "install_requires"),
        ("requirements-test.txt", "options.extras_require", "test"),
    ],
)
def test_every_requirement_is_locked_within_its_bounds(
    lock: str, section: str, option: str
) -> None:
    versions = pinned(lock)
    for requirement in asked(section, option):
        assert versions[requirement.name.lower()] in requirement.specifier, requirement.name


def test_both_locks_agree() -> None:
    assert pinned("requirements.txt").items() <= pinned("requirements-test.txt").items()


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-test.txt"])
def test_a_lock_has_hashes_and_names_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entries = re.split(r"^(?=\w)", text, flags=re.M)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)
    assert set(re.findall(r"--[a-z-]+", text)) == {"--hash"}
    assert "://" not in text


def test_the_jars_of_kafka_are_those_of_its_version() -> None:
    jars = {jar.artifact: jar for jar in pinned_jars()}
    ours = {jar.version for jar in jars.values() if jar.group == "org.apache.kafka"}
    assert ours == {KAFKA_VERSION}
    assert {"kafka_2.13", "kafka-clients", "log4j-slf4j-impl"} <= jars.keys()
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in jars.values())
