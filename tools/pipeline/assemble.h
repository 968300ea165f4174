// From what the stages of a run left to its report.
#pragma once
#include "tools/pipeline/stages.h"
#include "tools/report/report.h"

namespace octet {

Report assemble_report(const RunOptions& options, TaskKind task, const Stages& stages,
                       const Context& context);

}  // namespace octet
