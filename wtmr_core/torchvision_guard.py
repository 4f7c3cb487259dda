"""Makes `import torchvision`, and with it timm, work beside a torch that its operators were not built for.

Whoever needs torchvision imports this first; `wtmr_core.models` does.
"""

from __future__ import annotations

import sys

_MISSING_OPERATOR = "operator torchvision::nms does not exist"


def declare() -> object | None:
    """Declare the operators that torchvision misses; done on import of this module.

    Beside a CPU-only torch, PyPI's torchvision (built for CUDA) cannot load its compiled operators, and its
    import then fails because it describes an operator that nobody has declared. On exactly that error the
    two operators are declared here, without an implementation, and torchvision is imported again: all of it
    works then but the compiled operators. Returns the library that holds the declarations, to be kept alive,
    or None where there was nothing to do: torchvision works, is absent, or fails with any other error, which
    is raised again where torchvision is used.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if _MISSING_OPERATOR not in str(error):
            return None
    except Exception:
        return None
    else:
        return None

    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]  # imported by half
    import torchvision  # noqa: F401

    return library


declared = declare()
