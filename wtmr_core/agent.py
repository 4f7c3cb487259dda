"""torchrun, whose processes know its number and so can tell when it is dead: `python -m wtmr_core.agent ...`"""

import os

from torch.distributed.run import main

from wtmr_core.environment import AGENT

if __name__ == "__main__":
    os.environ[AGENT] = str(os.getpid())
    main()
