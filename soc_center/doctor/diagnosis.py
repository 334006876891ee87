"""What a check says: a word, what it looked at, what it found, and what to do about it."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec


class Word(StrEnum):
    """How it is: ``warn`` works but should be looked at, ``bad`` does not work or loses something."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


#: What is looked at, in the order in which it is shown, with the console's Chinese word beside it.
SUBJECTS: Mapping[str, str] = MappingProxyType(
    {
        "python": "运行环境",
        "packages": "组件",
        "console": "控制台",
        "folder": "数据目录",
        "disk": "磁盘",
        "settings": "配置",
        "state": "状态库",
        "files": "数据文件",
        "ports": "端口",
        "sources": "数据源",
        "rules": "规则",
        "clock": "时钟",
        "processes": "进程",
        "memory": "内存",
    }
)


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the doctor's: ``fix`` is empty where nothing is to be done."""

    word: Word
    subject: str
    cause: str
    fix: str = ""

    @property
    def subject_zh(self) -> str:
        """The subject in Chinese."""
        return SUBJECTS[self.subject]


def ok(subject: str, cause: str) -> Diagnosis:
    """All is well with it."""
    return Diagnosis(word=Word.OK, subject=subject, cause=cause)


def warn(subject: str, cause: str, fix: str) -> Diagnosis:
    """It works, but should be looked at."""
    return Diagnosis(word=Word.WARN, subject=subject, cause=cause, fix=fix)


def bad(subject: str, cause: str, fix: str) -> Diagnosis:
    """It does not work, or something is lost by it."""
    return Diagnosis(word=Word.BAD, subject=subject, cause=cause, fix=fix)
