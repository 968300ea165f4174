// A subcommand: options, examples, what it does. One file each in tools/, listed in
// command_groups().
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/options.h"

namespace octet {

/// Flags that every subcommand has.
struct CommonOptions : Options {
  bool json = false, quiet = false, help = false;
  int64_t threads = 0;
  std::string device = "cpu";
  void visit(OptionVisitor& v) override;
};

class Command {
 public:
  virtual ~Command() = default;
  virtual std::string name() const = 0;  ///< one word, or two ("calib show")
  virtual std::string summary() const = 0;
  virtual std::vector<std::string> examples() const = 0;
  virtual Options& options() = 0;
  /// Results go to stdout; with common.json only JSON. Returns the exit code.
  virtual int run(const CommonOptions& common, Context& context) = 0;
};

/// Commands that serve one task of the user's.
struct CommandGroup {
  std::string task;
  std::vector<std::unique_ptr<Command>> commands;
};
std::vector<CommandGroup> command_groups();
std::vector<std::unique_ptr<Command>> commands();  ///< of all groups

/// Fills both from the arguments behind the command's name. Unknown flags, missing operands and bad
/// values are UsageErrors.
void parse_arguments(Command& command, CommonOptions& common,
                     const std::vector<std::string>& arguments);

std::string help_text(Command& command);  ///< of `octet COMMAND --help`
std::string overview_text();              ///< of `octet --help`
std::string reference_markdown();         ///< docs/cli.md

/// Parses, runs and reports errors: 0, 2 for usage, 130 when interrupted, 1 for the rest.
int run_cli(const std::vector<std::string>& arguments);

}  // namespace octet
