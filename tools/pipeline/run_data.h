// Which data each stage of a run reads.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/architectures/registry.h"
#include "tools/pipeline/run.h"

namespace octet {

/// The options' data by role; --data stands in for each that is not named.
struct RunData {
  std::string calib, train, valid, eval;
};

/// UsageError where a role that the run needs has no data, naming the option. Text has no splits,
/// so that training needs texts of its own.
RunData run_data(const RunOptions& options, TaskKind task);

/// Of a resume key: what identifies each role's files.
nlohmann::json run_data_identity(const RunData& data);

}  // namespace octet
