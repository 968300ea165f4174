// Untrusted JSON: strict UTF-8, no duplicate keys, bounded depth.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace octet {

/// Parses `text`; `what` names the source in errors (a path). Rejects duplicate keys, nesting
/// deeper than 64, trailing text and invalid UTF-8 with an Error.
nlohmann::json parse_json(std::string_view text, const std::string& what);

/// read_file + parse_json.
nlohmann::json read_json(const std::string& path);

}  // namespace octet
