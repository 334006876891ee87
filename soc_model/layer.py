"""The closed vocabularies: the six layers, the realms, the Sigma levels, and the unit an event belongs to."""

from enum import StrEnum

import msgspec


class Layer(StrEnum):
    """The layer a source watches (层面). The posture grid adds management (管理) to these six."""

    TERMINAL = "terminal"  # 终端
    HOST = "host"  # 主机
    NETWORK = "network"  # 网络
    PLATFORM = "platform"  # 平台
    DATA = "data"  # 数据
    APPLICATION = "application"  # 应用


class Realm(StrEnum):
    """Whether rows are real. Set on the source by configuration, never by content.

    Rows of realm ``drill`` (演练) and ``test`` (测试) have their own archive tree and chain and never count in posture,
    risk, metrics, evidence or federation.
    """

    LIVE = "live"
    DRILL = "drill"
    TEST = "test"


class Level(StrEnum):
    """A Sigma rule's level (Sigma specification 2.1, ``level``)."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 (informational) to 4 (critical), for sorting and storing."""
        return _RANKS[self]

    @classmethod
    def of_rank(cls, rank: int) -> "Level":
        """The level of a rank; raises ``IndexError`` outside 0 to 4."""
        return _LEVELS[rank]


_LEVELS = tuple(Level)
_RANKS = {level: rank for rank, level in enumerate(_LEVELS)}


class Unit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A department (单位) of the center; ``region`` is its GB/T 2260 code."""

    id: str
    name: str
    region: str = ""
