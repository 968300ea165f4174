#include "core/error.h"

#include <fmt/format.h>

namespace octet {
namespace {
std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}
}  // namespace

Error::Error(const std::string& found, const std::string& expected, const std::string& remedy)
    : std::runtime_error(
          one_line(fmt::format("found {}; expected {}; remedy: {}", found, expected, remedy))),
      found_(found),
      expected_(expected),
      remedy_(remedy) {}

Interrupted::Interrupted(const std::string& how_to_resume)
    : std::runtime_error("interrupted; " + how_to_resume) {}

}  // namespace octet
