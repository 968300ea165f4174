#include "core/json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "core/error.h"
#include "core/io/input_file.h"

namespace octet {
namespace {

constexpr int kMaxDepth = 64;

// Checks structure while the default handler builds the tree.
struct Guard {
  const std::string& what;
  std::vector<std::set<std::string>> keys;

  bool operator()(int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (depth > kMaxDepth) {
      throw Error(fmt::format("JSON nested deeper than {} in {}", kMaxDepth, what),
                  "a configuration of ordinary depth", "check where the file came from");
    }
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(parsed.get<std::string>()).second) {
      throw Error(fmt::format("duplicate key \"{}\" in {}", parsed.get<std::string>(), what),
                  "each key once", "write the file again with unique keys");
    }
    return true;
  }
};

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& what) {
  // nlohmann takes a NUL for the end of the text and would leave the rest unread.
  if (text.find('\0') != std::string_view::npos) {
    throw Error(fmt::format("invalid JSON in {} (a NUL byte)", what), "well-formed UTF-8 JSON",
                "copy or download the file again");
  }
  Guard guard{what, {}};
  try {
    return nlohmann::json::parse(
        text.begin(), text.end(),
        [&guard](int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
          return guard(depth, event, parsed);
        });
  } catch (const nlohmann::json::exception& e) {
    throw Error(fmt::format("invalid JSON in {} ({})", what, e.what()), "well-formed UTF-8 JSON",
                "copy or download the file again");
  }
}

nlohmann::json read_json(const std::string& path) {
  return parse_json(read_file(path, uint64_t{1} << 28), path);
}

}  // namespace octet
