// Options are plain structs whose fields are declared once, in visit(): flag, default (the value in
// the struct), help. From that one declaration come parsing and --help (tools/), JSON provenance,
// resume keys, the command that repeats a run and docs/cli.md.
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
  /// A flag without a value; false unless given.
  virtual void field(const char* name, const char* help, bool& value) = 0;
  /// A flag that may be repeated; empty unless given.
  virtual void field(const char* name, const char* help, std::vector<std::string>& value) = 0;
  /// An operand without a flag, e.g. MODEL; a name in brackets is optional.
  virtual void positional(const char* name, const char* help, std::string& value) = 0;
  virtual void positional(const char* name, const char* help, std::vector<std::string>& value) = 0;
  /// Declares that the field `--name` is also accepted as `--former`, its name in earlier versions.
  /// Only parsing takes notice: help, JSON and command lines show `name`.
  virtual void former_name(const char* /*former*/, const char* /*name*/) {}
};

/// Implemented by every XOptions struct: `void visit(OptionVisitor&) override`.
struct Options {
  virtual ~Options() = default;
  virtual void visit(OptionVisitor& visitor) = 0;
};

/// A field that a command takes over from the options of one of its stages.
struct ChosenField {
  std::string name;       ///< as the stage declares it
  std::string flag = {};  ///< as the command calls it; empty: `name`
  std::string help = {};  ///< in place of the stage's, which "{}" in it stands for; empty: the same
};

/// Declares the chosen fields of `options` to `visitor`, in the order of `fields`; their defaults
/// are the values in `options`. std::logic_error for a field that `options` does not declare.
void visit_chosen(Options& options, const std::vector<ChosenField>& fields, OptionVisitor& visitor);

/// UsageError unless `value` was given for `--flag`; `what` is what it names, e.g. "a directory to
/// write".
void require_option(const std::string& value, const std::string& flag, const std::string& what);

/// {"name": value, ...} of every declared field, for provenance, resume keys and reports.
nlohmann::json to_json(const Options& options);

/// The arguments that turn `defaults` into `options` when they are parsed: the operands, and every
/// flag whose value differs.
std::vector<std::string> to_arguments(const Options& options, const Options& defaults);

/// `arguments` as one line of a POSIX shell, quoted where needed.
std::string shell_line(const std::vector<std::string>& arguments);

}  // namespace octet
