// Block-wise tuning, and training on the model's own text, by the stage and by the binary.
#include "finetune/blockwise.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "core/error.h"
#include "core/json.h"
#include "eval/evaluate.h"
#include "models/source_model.h"
#include "tests/environment.h"
#include "tests/finetune/scene.h"

namespace octet::test {
namespace {

TEST(Blockwise, LowersErrorsAndDivergence) {
  Scene scene;
  FinetuneOptions options = scene.options("w4a16-g16", "out");
  options.blockwise = true;
  options.trainer.steps = 30, options.trainer.eval_every = 10, options.trainer.lr = 1e-3;
  const FinetuneResult result = scene.run(options);
  ASSERT_EQ(result.blocks.size(), 2U);
  for (const BlockResult& block : result.blocks) {
    EXPECT_GT(block.before, 0);
    EXPECT_LT(block.after, 0.9 * block.before) << block.block;
  }
  ASSERT_EQ(result.training.eval.size(), 2U);
  EXPECT_LT(result.training.eval[1].kl, 0.9 * result.training.eval[0].kl) << result.verdict;
  EvalOptions eval;
  eval.model = result.directory, eval.reference = scene.toy(), eval.data = scene.valid();
  eval.length = 48, eval.windows = 24;
  EXPECT_NEAR(evaluate(SourceModel(eval.model), eval, scene.context).scores.kl_mean,
              result.training.eval[1].kl, 0.02 * result.training.eval[0].kl);
  const nlohmann::json curve = read_json(result.directory + "/octet-finetune.json");
  EXPECT_EQ(curve["blocks"].size(), 2U);
  EXPECT_FALSE(std::filesystem::exists(result.directory + "/" + kTrainFolder));
}

TEST(Blockwise, TunesNothingWhereNothingIsToBeWon) {
  Scene scene;
  FinetuneOptions options = scene.options("w8a8-dynamic", "out");
  options.blockwise = true, options.min_kl = 10;
  const FinetuneResult result = scene.run(options);
  EXPECT_TRUE(result.blocks.empty());
  EXPECT_NE(result.verdict.find("no training needed"), std::string::npos) << result.verdict;
  options.quantize.out += "-all", options.tune = "all";
  EXPECT_THROW(scene.run(options), UsageError);
}

std::string command(const Scene& scene, const std::string& out) {
  return "finetune " + scene.toy() + " --scheme w8a8-static --calib " + scene.calib() +
         " --data self:40 --eval-data " + scene.valid() +
         " --length 48 --batch 4 --eval-samples 8 --steps 24 --warmup 4 --lr 1e-3 --eval-every 6 "
         "--min-kl 0 --blockwise --deterministic --out " +
         out;
}

TEST(Blockwise, GoesOnBehindTheLastWholeBlockWithTheSameBits) {
  Scene scene;
  const std::string whole = scene.folder / "whole", killed = scene.folder / "killed";
  const Output undisturbed = octet_cli(command(scene, whole));
  ASSERT_EQ(undisturbed.code, 0) << undisturbed.text;
  const std::string first = killed + ".partial/" + kTrainFolder + "/block-0.safetensors";
  const pid_t child = fork();
  if (child == 0) {
    execl("/bin/sh", "sh", "-c",
          ("exec " + octet_binary() + " " + command(scene, killed) + " --quiet >/dev/null 2>&1")
              .c_str(),
          nullptr);
    _exit(127);
  }
  for (int wait = 0; wait < 4000 && !std::filesystem::exists(first); ++wait) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status) && std::filesystem::exists(first)) << "killed at a wrong time";
  ASSERT_FALSE(std::filesystem::exists(killed));
  const Output resumed = octet_cli(command(scene, killed));
  ASSERT_EQ(resumed.code, 0) << resumed.text;
  EXPECT_EQ(testing::get(killed + "/model.safetensors"),
            testing::get(whole + "/model.safetensors"));
}

TEST(Finetune, LearnsFromTextOfItsOwn) {
  Scene scene;
  FinetuneOptions options = scene.options("w4a16-g16", "out");
  options.data = "self:64";
  const FinetuneResult result = scene.run(options);
  const TrainResult& training = result.training;
  EXPECT_LT(training.eval[training.best].kl, 0.9 * training.eval[0].kl) << result.verdict;
  EXPECT_FALSE(std::filesystem::exists(result.directory + "/" + kTrainFolder));
}

TEST(Finetune, PlanTellsWhatEachWayNeeds) {
  Scene scene;
  const Output out = octet_cli(
      "finetune " + scene.toy() + " --scheme w4a16-g16 --batch 8 --length 512 --plan --json",
      false);
  ASSERT_EQ(out.code, 0) << out.text;
  const nlohmann::json memory = nlohmann::json::parse(out.text)["memory"];
  EXPECT_LT(memory["checkpointed"], memory["whole"]);
  EXPECT_LT(memory["blockwise"], memory["checkpointed"]);
  EXPECT_GT(memory["blockwise"], 0);
}

}  // namespace
}  // namespace octet::test
