// Typed access to GGUF metadata.
#include <fmt/format.h>

#include "core/containers/gguf.h"
#include "core/error.h"

namespace octet {
namespace {

template <typename T>
const T& get(const GgufFile& file, const std::string& key, const char* kind) {
  const auto found = file.metadata().find(key);
  const bool absent = found == file.metadata().end();
  const T* value = absent ? nullptr : std::get_if<T>(&found->second);
  if (value == nullptr) {
    throw Error(fmt::format("{} {} in {}", absent ? "no key" : "another type of value for key", key,
                            file.path().string()),
                kind, "use a complete model file of a supported architecture");
  }
  return *value;
}

}  // namespace

int64_t GgufFile::integer(const std::string& key) const {
  return get<int64_t>(*this, key, "an integer");
}

double GgufFile::real(const std::string& key) const {
  if (const auto found = metadata_.find(key); found != metadata_.end()) {
    if (const auto* value = std::get_if<int64_t>(&found->second))
      return static_cast<double>(*value);
  }
  return get<double>(*this, key, "a number");
}

const std::string& GgufFile::text(const std::string& key) const {
  return get<std::string>(*this, key, "a text");
}

const std::vector<std::string>& GgufFile::texts(const std::string& key) const {
  return get<std::vector<std::string>>(*this, key, "an array of texts");
}

const std::vector<int64_t>& GgufFile::integers(const std::string& key) const {
  return get<std::vector<int64_t>>(*this, key, "an array of integers");
}

}  // namespace octet
