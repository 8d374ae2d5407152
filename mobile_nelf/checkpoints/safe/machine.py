"""Reads what `torch.save` wrote without ever running anything of it.

A pickle is a program for a small stack machine. Two of its instructions can do harm: one looks up
an object by name in any installed module, the other calls it. The machine here has neither: a name
stays a name, and "calling" it gives an `Inert` that only remembers the name and, as plain data,
what the file wanted to put into the object. The exceptions are the `torch._utils` functions that
rebuild a dense tensor and `collections.OrderedDict`; their work is done here, with every size
checked, and the originals are not called. So there is nothing to escape from, whatever list of
names a file tries.

On top of that a file that names something no training run needs to save, such as `os.system`, is
refused, for the user should hear about it.

Not `torch.load(weights_only=True)`: it refuses the pickled module in official files, and hashing a
deeply nested tuple from a file of a few hundred kilobytes ends the whole process.
"""

from __future__ import annotations

import pickletools
from typing import Any

from mobile_nelf.checkpoints.safe.archive import TorchArchive
from mobile_nelf.checkpoints.safe.names import (
    Inert,
    Name,
    describe,
    is_state,
    may_be_class,
    printable,
)
from mobile_nelf.checkpoints.safe.tensors import TensorBuilder
from mobile_nelf.errors import CheckpointError

__all__ = ["read_pickle"]

#: Names that pickle writes for modules better known otherwise: those of Python 2, and `os` itself.
_RENAMED = {
    "__builtin__": "builtins",
    "cPickle": "pickle",
    "commands": "subprocess",
    "copy_reg": "copyreg",
    "nt": "os",
    "posix": "os",
}
#: Integers beyond 64 bits can be made to share one hash.
MAX_KEY = 2**63 - 1


class _Mark:
    """Bottom of the items that the next instruction collects."""


_MARK = _Mark()


def read_pickle(archive: TorchArchive) -> Any:
    """Returns the object saved in `archive`, on the CPU.

    Numbers, strings, lists, tuples, dicts and dense tensors come as they are, wherever the tensors
    were; anything else is an `Inert`.

    Raises:
        CheckpointError: the file names code, asks for memory that it does not hold, or is damaged.
    """
    return _Machine(archive).run()


class _Machine:
    """The stack machine of pickle protocols 2 to 5, without look-up and without calls."""

    def __init__(self, archive: TorchArchive) -> None:
        self._archive = archive
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._tensors = TensorBuilder(archive)
        #: Names in lower case that no object was made of yet: functions, as far as is known.
        self._unused: set[str] = set()

    def run(self) -> Any:
        try:
            for opcode, argument, _ in pickletools.genops(self._archive.pickle()):
                self._step(opcode.name, argument)
            (result,) = self._stack
            if self._unused:
                raise self._refusal(min(self._unused))
        # What genops raises for a damaged program, a stack that ran empty, an unknown memo.
        except (ValueError, IndexError, KeyError) as error:
            raise self._error("its pickle is damaged; copy or download it again") from error
        return result

    def _error(self, text: str) -> CheckpointError:
        return CheckpointError(f"{self._archive.path}: {text}")

    def _refusal(self, name: str) -> CheckpointError:
        return self._error(
            f"asks for {printable(name)}, which no trained network needs; nothing was run, do not "
            "open it with tools that run pickles"
        )

    def _step(self, opcode: str, argument: Any) -> None:
        stack = self._stack
        match opcode:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(opcode == "NEWTRUE")
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "LONG4" | "BINFLOAT":
                stack.append(argument)
            case "BINUNICODE" | "SHORT_BINUNICODE" | "BINUNICODE8" | "SHORT_BINSTRING":
                stack.append(argument)
            case "BINBYTES" | "SHORT_BINBYTES" | "BINBYTES8" | "BYTEARRAY8" | "BINSTRING":
                stack.append(argument)
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_TUPLE":
                stack.append(())
            case "EMPTY_SET":
                stack.append(Inert("builtins.set"))
            case "MARK":
                stack.append(_MARK)
            case "POP":
                stack.pop()
            case "POP_MARK":
                self._pop_to_mark()
            case "DUP":
                stack.append(stack[-1])
            case "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self._memo[argument])
            case "TUPLE":
                stack.append(tuple(self._pop_to_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self._pop(int(opcode[-1]))))
            case "FROZENSET":
                self._pop_to_mark()
                stack.append(Inert("builtins.frozenset"))
            case "APPEND":
                self._extend(self._pop(1))
            case "APPENDS" | "ADDITEMS":
                self._extend(self._pop_to_mark())
            case "SETITEM":
                self._set_items(self._pop(2))
            case "SETITEMS":
                self._set_items(self._pop_to_mark())
            case "GLOBAL":
                module, _, name = argument.partition(" ")
                stack.append(self._name(module, name))
            case "STACK_GLOBAL":
                stack.append(self._name(*self._pop(2)))
            case "REDUCE":
                stack.append(self._call(*self._pop(2)))
            case "NEWOBJ":
                stack.append(self._make(*self._pop(2)))
            case "NEWOBJ_EX":
                stack.append(self._make(*self._pop(3)[:2]))
            case "BUILD":
                self._set_state(stack.pop())
            case "BINPERSID":
                stack.append(self._tensors.storage(stack.pop()))
            case _:
                raise self._error(
                    f"uses the pickle instruction {opcode}, which torch.save never does"
                )

    def _pop(self, count: int) -> list[Any]:
        items = self._stack[-count:]
        if len(items) < count:
            raise IndexError
        del self._stack[-count:]
        return items

    def _pop_to_mark(self) -> list[Any]:
        position = len(self._stack) - 1
        while self._stack[position] is not _MARK:
            position -= 1
            if position < 0:
                raise IndexError
        items = self._stack[position + 1 :]
        del self._stack[position:]
        return items

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Inert):
            raise self._error(f"appends to {describe(target)}, which torch.save never does")

    def _set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, dict):
            target.update(self._pairs(items[0::2], items[1::2]))
        elif isinstance(target, Inert):
            named = zip(items[0::2], items[1::2], strict=True)
            target.attributes.update((key, value) for key, value in named if isinstance(key, str))
        else:
            raise self._error(f"sets items of {describe(target)}, which torch.save never does")

    def _pairs(self, keys: list[Any], values: list[Any]) -> dict[Any, Any]:
        for key in keys:
            # Hashing a nested tuple recurses without a limit, equal hashes of huge integers take
            # for ever; keys of state dicts are neither.
            short = isinstance(key, int) and abs(key) <= MAX_KEY
            if not (key is None or short or isinstance(key, str)):
                raise self._error(f"has {describe(key)} as a key; expected strings or integers")
        return dict(zip(keys, values, strict=True))

    def _set_state(self, state: Any) -> None:
        target = self._stack[-1]
        if isinstance(target, Inert):
            # With __slots__ there are two dicts.
            for part in state if isinstance(state, tuple) else (state,):
                if isinstance(part, dict):
                    named = part.items()
                    target.attributes.update((k, v) for k, v in named if isinstance(k, str))
        # A state dict carries its _metadata this way, which is not needed.
        elif not isinstance(target, dict):
            raise self._error(f"sets the state of {describe(target)}, which torch.save never does")

    def _name(self, module: Any, name: Any) -> Name:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise self._error(f"takes {describe(module)} for the name of a module")
        module = _RENAMED.get(module, module)
        text = f"{module}.{name}"
        if not is_state(module, name):
            if not may_be_class(module, name):
                raise self._refusal(text)
            self._unused.add(text)
        return Name(text)

    def _call(self, function: Any, arguments: Any) -> Any:
        """Judges a call, which may be one of a function."""
        if isinstance(function, Name) and function.text in self._unused:
            raise self._refusal(function.text)
        return self._make(function, arguments)

    def _make(self, function: Any, arguments: Any) -> Any:
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise self._error(f"calls {describe(function)}, which torch.save never does")
        self._unused.discard(function.text)
        match function.text:
            case "collections.OrderedDict":
                return self._ordered_dict(arguments)
            case "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2":
                return self._tensors.tensor(function.text, *arguments[:4])
            case "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state":
                return arguments[0] if arguments else Inert(function.text)
        return Inert(function.text)

    def _ordered_dict(self, arguments: tuple[Any, ...]) -> dict[Any, Any]:
        pairs = arguments[0] if arguments else []
        if not isinstance(pairs, list) or any(
            not isinstance(pair, (list, tuple)) or len(pair) != 2 for pair in pairs
        ):
            raise self._error("builds an OrderedDict of something else than pairs")
        return self._pairs([key for key, _ in pairs], [value for _, value in pairs])
