"""torchvision without torch's compiler, whose import would cost as much time again as torch itself.

torchvision 0.29 imports one function of `torch._dynamo`, and calls it in the alignment of regions alone
(`torchvision.ops.roi_align`, for detection). Here that function imports the compiler when it is called.
"""

import sys
from types import ModuleType
from typing import Any

COMPILER, UTILS, FUNCTION = "torch._dynamo", "torch._dynamo.utils", "is_compile_supported"


def _imported() -> Any:
    if COMPILER in sys.modules or "torchvision" in sys.modules:
        import torchvision

        return torchvision
    stands_in, utils = ModuleType(COMPILER), ModuleType(UTILS)
    setattr(utils, FUNCTION, _when_called)
    sys.modules |= {COMPILER: stands_in, UTILS: utils}
    try:
        import torchvision
    finally:
        del sys.modules[COMPILER], sys.modules[UTILS]
    return torchvision


def _when_called(device_type: str) -> Any:
    from torch._dynamo.utils import is_compile_supported

    return is_compile_supported(device_type)


torchvision = _imported()
