// Builds the report of a run from the results of its stages.
#pragma once
#include "models/architectures/registry.h"
#include "report/report.h"
#include "tools/pipeline/stages.h"

namespace octet {

Report assemble_report(const SourceModel& model, const RunOptions& options, TaskKind task,
                       const Stages& stages, const Context& context);

}  // namespace octet
