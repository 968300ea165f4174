#include "tools/commands.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>

namespace octet {
namespace {

using Maker = std::unique_ptr<Command> (*)();

CommandGroup group(const char* task, std::initializer_list<Maker> makers) {
  CommandGroup made{task, {}};
  for (const Maker maker : makers) made.commands.push_back(maker());
  return made;
}

}  // namespace

std::vector<CommandGroup> command_groups() {
  std::vector<CommandGroup> all;
  all.push_back(group("Run the whole pipeline", {make_run_command, make_report_command}));
  all.push_back(group("Inspect and convert",
                      {make_inspect_command, make_convert_command, make_data_command}));
  all.push_back(group("Calibrate and quantize",
                      {make_calibrate_command, make_calib_show_command, make_calib_merge_command,
                       make_quantize_command, make_verify_command}));
  all.push_back(group("Fine-tune and train", {make_finetune_command, make_train_command}));
  all.push_back(group("Evaluate and compare", {make_eval_command, make_bench_command}));
  all.push_back(group("Use a model", {make_translate_command}));
  return all;
}

std::vector<std::unique_ptr<Command>> commands() {
  std::vector<std::unique_ptr<Command>> all;
  for (CommandGroup& group : command_groups()) {
    std::move(group.commands.begin(), group.commands.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace octet
