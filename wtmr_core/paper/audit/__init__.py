"""The audit: every published figure reproduced or refuted by running code, one function for each finding.

Each takes what it examines as arguments, the published figures by default, and returns a `Finding`; fed a case without
the defect it says so. What trains networks on real recordings is kept in `results/audit` (`wtmr audit --train`).
"""

from wtmr_core.paper.audit.accuracies import equal_budgets, spread_of_a_run, swapped_names, training_accuracy
from wtmr_core.paper.audit.augmentation import frame_by_frame
from wtmr_core.paper.audit.checkpoints import free_pickles
from wtmr_core.paper.audit.costs import multiply_accumulates, parameters, throughput
from wtmr_core.paper.audit.finding import AuditError, Finding
from wtmr_core.paper.audit.networks import regions_and_weights
from wtmr_core.paper.audit.reading import lost_files, unstable_labels
from wtmr_core.paper.audit.splits import leaking_splits, redrawn_matrices
from wtmr_core.paper.audit.tracks import persons_by_order
from wtmr_core.paper.audit.verdicts import figures

__all__ = [
    "AuditError",
    "Finding",
    "equal_budgets",
    "figures",
    "frame_by_frame",
    "free_pickles",
    "leaking_splits",
    "lost_files",
    "multiply_accumulates",
    "parameters",
    "persons_by_order",
    "redrawn_matrices",
    "regions_and_weights",
    "spread_of_a_run",
    "swapped_names",
    "throughput",
    "training_accuracy",
    "unstable_labels",
]
