#include "tools/commands.h"

namespace octet {

std::vector<std::unique_ptr<Command>> commands() {
  std::vector<std::unique_ptr<Command>> all;
  all.push_back(make_inspect_command());
  all.push_back(make_convert_command());
  all.push_back(make_calibrate_command());
  all.push_back(make_calib_show_command());
  all.push_back(make_calib_merge_command());
  all.push_back(make_quantize_command());
  all.push_back(make_finetune_command());
  all.push_back(make_train_command());
  all.push_back(make_verify_command());
  all.push_back(make_eval_command());
  all.push_back(make_bench_command());
  all.push_back(make_translate_command());
  all.push_back(make_run_command());
  all.push_back(make_data_command());
  all.push_back(make_report_command());
  return all;
}

}  // namespace octet
