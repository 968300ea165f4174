// Options are plain structs whose fields are declared once, in visit(): flag, default (the value in
// the struct), help. From that one declaration come parsing and --help (tools/), JSON provenance,
// resume keys and docs/cli.md.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace octet {

class OptionVisitor {
 public:
  virtual ~OptionVisitor() = default;
  /// A flag `--name VALUE`; `help` is one sentence without a full stop, naming units.
  virtual void field(const char* name, const char* help, std::string& value) = 0;
  virtual void field(const char* name, const char* help, int64_t& value) = 0;
  virtual void field(const char* name, const char* help, double& value) = 0;
  virtual void field(const char* name, const char* help, bool& value) = 0;
  virtual void field(const char* name, const char* help, std::vector<std::string>& value) = 0;
  /// An operand without a flag, e.g. MODEL; a name in brackets may be left out.
  virtual void positional(const char* name, const char* help, std::string& value) = 0;
  virtual void positional(const char* name, const char* help, std::vector<std::string>& value) = 0;
};

/// Implemented by every XOptions struct: `void visit(OptionVisitor&) override`.
struct Options {
  virtual ~Options() = default;
  virtual void visit(OptionVisitor& visitor) = 0;
};

/// UsageError unless `value` was given for `--flag`; `what` is what it names, e.g. "a directory to
/// write".
void require_option(const std::string& value, const std::string& flag, const std::string& what);

/// {"name": value, ...} of every declared field, for provenance, resume keys and reports.
nlohmann::json to_json(const Options& options);

}  // namespace octet
