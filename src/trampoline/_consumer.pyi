from collections.abc import Callable, Generator
from typing import Any, ParamSpec, TypeVar, overload

_P = ParamSpec("_P")
_T = TypeVar("_T")
_G = TypeVar("_G", bound=Generator[Any, Any, Any])

@overload
def consumer(function: classmethod[_T, _P, _G]) -> classmethod[_T, _P, _G]: ...
@overload
def consumer(function: staticmethod[_P, _G]) -> staticmethod[_P, _G]: ...
@overload
def consumer(function: Callable[_P, _G]) -> Callable[_P, _G]: ...
