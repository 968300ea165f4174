// Which files DATA is: for resume keys.
#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "datasets/data_spec.h"

namespace octet {

/// The files that a part of DATA reads, sorted as they are read. `split` is that of its role. Error
/// when there are none; a file that is named but missing is reported when it is read.
std::vector<std::filesystem::path> data_files(const DataSpec& spec, Split split);

/// A cheap identity of all parts of DATA: of a part of one file {name: {size, mtime_ns}} (as
/// file_identity says it), of several files their number and a SHA-256 of their names, sizes and
/// times. One part gives it alone, several an array. Error for a missing file.
nlohmann::json data_identity(const std::string& data, Split split);

}  // namespace octet
