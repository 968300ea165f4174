// One maker a subcommand; each is defined in the file of its name.
#pragma once
#include <memory>

#include "tools/command.h"

namespace octet {
std::unique_ptr<Command> make_inspect_command();
std::unique_ptr<Command> make_convert_command();
std::unique_ptr<Command> make_calibrate_command();
std::unique_ptr<Command> make_calib_show_command();
std::unique_ptr<Command> make_calib_merge_command();
std::unique_ptr<Command> make_quantize_command();
std::unique_ptr<Command> make_finetune_command();
std::unique_ptr<Command> make_train_command();
std::unique_ptr<Command> make_verify_command();
std::unique_ptr<Command> make_eval_command();
std::unique_ptr<Command> make_bench_command();
std::unique_ptr<Command> make_translate_command();
std::unique_ptr<Command> make_run_command();
std::unique_ptr<Command> make_data_command();
std::unique_ptr<Command> make_report_command();
}  // namespace octet
