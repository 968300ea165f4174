// The fields of a config.json, each checked as it is read.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "models/config.h"

namespace octet {

/// A JSON object of configuration. What is missing or out of range is an Error naming the field and
/// `what`, the file. Null counts as missing.
class ConfigFields {
 public:
  ConfigFields(const nlohmann::json& config, std::string what);

  bool has(const char* name) const;
  int64_t size(const char* name) const;  ///< an integer above 0
  int64_t size(const char* name, int64_t otherwise) const;
  /// One size for both, or a list of two: height and width.
  std::pair<int64_t, int64_t> height_and_width(const char* name) const;
  double positive(const char* name) const;
  double fraction(const char* name) const;  ///< in [0, 1)
  double fraction(const char* name, double otherwise) const;
  bool flag(const char* name, bool otherwise) const;
  std::string text(const char* name) const;
  std::optional<int64_t> token(const char* name) const;  ///< of a list the first
  const nlohmann::json& get(const char* name) const;
  [[noreturn]] void fail(const std::string& found, const std::string& expected) const;

  const nlohmann::json& config() const { return config_; }
  const std::string& what() const { return what_; }

 private:
  int64_t checked_size(const nlohmann::json& value, const char* name) const;
  const nlohmann::json& config_;
  std::string what_;
};

/// "float16", "bfloat16" or "float32" of either generation's field; float32 when there is none.
std::string stored_dtype(const ConfigFields& fields);

/// Error for sizes with which parameters or bytes of a scheme would not fit 63 bits.
void check_widths(const ConfigFields& fields, const ModelConfig& config);

}  // namespace octet
