#include "calib/calibrate.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "models/source_model.h"
#include "tools/commands.h"

namespace octet {
namespace {

class CalibrateCommand : public Command {
 public:
  std::string name() const override { return "calibrate"; }
  std::string summary() const override {
    return "run sample data through a float model and store its activation ranges";
  }
  std::vector<std::string> examples() const override {
    return {"octet calibrate model-fp16 --data text.txt --out calib.h5",
            "octet calibrate model-fp16 --data text.txt --shard 0/4 --out calib-0.h5"};
  }
  Options& options() override { return options_; }
  int run(const CommonOptions& common, Context& context) override {
    const CalibrateResult result = calibrate(SourceModel(options_.model), options_, context);
    const CalibrationStore& store = result.store;
    if (common.json) {
      fmt::print("{}\n", nlohmann::json{{"file", options_.out},
                                        {"sites", store.sites.size()},
                                        {"units", store.units.size()},
                                        {"units_total", store.units_total},
                                        {"reused", result.reused}}
                             .dump());
    } else {
      fmt::print("{}: {} ({} sites, {} of {} units)\n", result.reused ? "unchanged" : "wrote",
                 options_.out, store.sites.size(), store.units.size(), store.units_total);
    }
    return 0;
  }

 private:
  CalibrateOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_calibrate_command() {
  return std::make_unique<CalibrateCommand>();
}

}  // namespace octet
