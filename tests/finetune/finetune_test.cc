// `octet finetune` on a tiny Llama: KL on unseen text falls, and what training saw is deployed.
#include "finetune/finetune.h"

#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <span>
#include <thread>

#include "core/error.h"
#include "core/json.h"
#include "eval/evaluate.h"
#include "eval/score.h"
#include "finetune/trainer.h"
#include "models/run/model.h"
#include "models/source_model.h"
#include "quant/formats/compressed_tensors/verify.h"
#include "quant/linears/fake_quant.h"
#include "quant/quantize_job.h"
#include "tests/environment.h"
#include "tests/finetune/scene.h"

namespace octet::test {
namespace {

class FinetuneSchemes : public ::testing::TestWithParam<const char*> {};

TEST_P(FinetuneSchemes, LowersTheDivergenceAndDeploysWhatItSaw) {
  Scene scene;
  FinetuneOptions options = scene.options(GetParam(), "out");
  options.learn_scales = std::string(GetParam()) == "w8a8-static";
  const FinetuneResult result = scene.run(options);
  const CurvePoint& before = result.training.eval[0];
  const CurvePoint& best = result.training.eval[result.training.best];
  EXPECT_LT(best.kl, 0.9 * before.kl) << result.verdict;
  EXPECT_NE(result.verdict.find("mean KL on unseen text"), std::string::npos) << result.verdict;
  EXPECT_TRUE(verify_directory(result.directory, scene.context).wrong.empty());

  // The directory gives the scores that the last evaluation of the best values gave.
  EvalOptions eval;
  eval.model = result.directory, eval.reference = scene.toy(), eval.data = scene.valid();
  eval.length = 48, eval.windows = 24;
  const Evaluation deployed = evaluate(SourceModel(eval.model), eval, scene.context);
  EXPECT_EQ(deployed.scheme, GetParam());
  EXPECT_NEAR(deployed.scores.kl_mean, best.kl, 0.01 * best.kl);
  const nlohmann::json curve = read_json(result.directory + "/octet-finetune.json");
  EXPECT_EQ(curve["train"].size(), 40U);
  EXPECT_EQ(curve["eval"].size(), 3U);
  EXPECT_FALSE(std::filesystem::exists(result.directory + "/" + kTrainState));
  EXPECT_TRUE(scene.run(options).reused);
}

INSTANTIATE_TEST_SUITE_P(Schemes, FinetuneSchemes,
                         ::testing::Values("w8a8-dynamic", "w8a8-static", "w8a16", "w4a16-g16"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

// A token at a time: few rows are computed in float32 on every CPU, while the activations of many
// are rounded to bfloat16 where weight-only linears have such products.
at::Tensor stepwise_logits(LoadedModel& loaded, const std::vector<int64_t>& ids) {
  State state = loaded.model->new_state(*loaded.executor, 1, std::ssize(ids));
  std::vector<at::Tensor> logits;
  for (const int64_t id : ids) {
    Batch batch;
    batch.ids = at::full({1, 1}, id, at::kLong);
    logits.push_back(forward(*loaded.model, *loaded.executor, batch, &state)[0]);
  }
  return at::cat(logits);
}

// The forward of training (differentiable producers, float products) against the directory.
TEST_P(FinetuneSchemes, TheForwardOfTrainingIsTheDeployedModels) {
  Scene scene;
  QuantizeOptions options = scene.options(GetParam(), "plain").quantize;
  quantize(SourceModel(options.model), options, scene.context);
  const QuantizeJob job = make_job(SourceModel(options.model), options, scene.log);
  const SourceModel toy(scene.toy());
  const auto model = make_model(toy.config());
  const auto source = toy.weights();
  Executor student(model->topology(), source, fake_quant_factory(job.plan, {}));
  Executor teacher(model->topology(), source, float_factory(at::kFloat, at::kCPU));
  student.load_all(), teacher.load_all();
  student.train(true);
  for (Parameter& p : student.parameters()) p.leaf.requires_grad_(true);
  LoadedModel deployed = load_model(options.out);
  double scheme = 0, difference = 0;
  const TokenWindows windows = open_windows(toy, scene.valid(), 48);
  for (int64_t i = 0; i < 24; ++i) {
    Batch batch;
    const auto ids = windows.window(i);
    batch.ids = at::tensor(ids, at::kLong).unsqueeze(0);
    const at::Tensor seen = forward(*model, student, batch)[0];
    ASSERT_TRUE(seen.requires_grad());
    const at::NoGradGuard no_gradients;
    const at::Tensor there = stepwise_logits(deployed, ids);
    const auto divergence = [&](const at::Tensor& reference) {
      const auto scored = static_cast<int64_t>(ids.size()) - 1;
      double sum = 0;
      for (const float kl : score_positions(there.narrow(0, 0, scored), std::span(ids).subspan(1),
                                            reference.narrow(0, 0, scored))
                                .kl) {
        sum += kl;
      }
      return sum;
    };
    difference += divergence(seen);
    scheme += divergence(forward(*model, teacher, batch)[0]);
  }
  EXPECT_LT(difference, 0.01 * scheme);
}

TEST(Finetune, WithoutStepsItWritesWhatQuantizeWrites) {
  Scene scene;
  for (const char* scheme : {"w8a8-static", "w4a16-g16"}) {
    FinetuneOptions options = scene.options(scheme, std::string("tuned-") + scheme);
    options.trainer.steps = 0;
    const std::string tuned = scene.run(options).directory;
    QuantizeOptions plain = options.quantize;
    plain.out = scene.folder / (std::string("plain-") + scheme);
    quantize(SourceModel(plain.model), plain, scene.context);
    for (const char* file : {"model.safetensors", "config.json", "tokenizer.json"}) {
      EXPECT_EQ(testing::get(tuned + "/" + file), testing::get(plain.out + "/" + file)) << file;
    }
  }
}

TEST(Finetune, SaysThatNothingIsToBeWon) {
  Scene scene;
  FinetuneOptions options = scene.options("w8a16", "out");
  options.min_kl = 10;
  const FinetuneResult result = scene.run(options);
  EXPECT_EQ(result.training.steps, 0);
  EXPECT_NE(result.verdict.find("no training needed"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(result.directory + "/model.safetensors"));
}

TEST(Finetune, RefusesAStartWithoutNumbers) {
  CurvePoint start;
  start.loss = 0.1, start.kl = 0.1;
  check_start(start);
  start.kl = NAN;
  EXPECT_THROW(check_start(start), Error);
  start.kl = 0.1, start.loss = INFINITY;
  EXPECT_THROW(check_start(start), Error);
}

TEST(Finetune, TunesEverythingWhenToldTo) {
  Scene scene;
  FinetuneOptions options = scene.options("w4a16-g16", "out");
  options.tune = "all";
  options.trainer.checkpointing = true;
  options.trainer.steps = 10, options.trainer.eval_every = 5;
  const FinetuneResult result = scene.run(options);
  EXPECT_LT(result.training.eval[result.training.best].kl, result.training.eval[0].kl);
  EvalOptions eval;
  eval.model = result.directory, eval.reference = scene.toy(), eval.data = scene.valid();
  eval.length = 48, eval.windows = 24;
  // Tables and norms are rounded to float16 on the way out.
  EXPECT_NEAR(evaluate(SourceModel(eval.model), eval, scene.context).scores.kl_mean,
              result.training.eval[result.training.best].kl, 0.02 * result.training.eval[0].kl);
}

TEST(Finetune, RefusesALossThatIsNotFinite) {
  Scene scene;
  FinetuneOptions options = scene.options("w8a8-dynamic", "out");
  // Codes are clamped whatever the weights become; norms and tables are not.
  options.tune = "all";
  options.trainer.lr = 1e30, options.trainer.clip = 0, options.trainer.eval_every = 100;
  const std::string error = testing::error_of([&] { scene.run(options); });
  EXPECT_NE(error.find("in step"), std::string::npos) << error;
  EXPECT_TRUE(std::filesystem::exists(options.quantize.out + ".partial/" + kTrainState));
  EXPECT_FALSE(std::filesystem::exists(options.quantize.out));
}

TEST(Finetune, BadOptionsAreNamed) {
  Scene scene;
  const auto refused = [&](const std::function<void(FinetuneOptions&)>& spoil) {
    FinetuneOptions options = scene.options("w8a8-dynamic", "out");
    spoil(options);
    return testing::error_of([&] { scene.run(options); });
  };
  EXPECT_NE(refused([](auto& o) { o.trainer.loss = "mse"; }).find("mse"), std::string::npos);
  EXPECT_NE(refused([](auto& o) { o.trainer.precision = "int8"; }).find("int8"), std::string::npos);
  EXPECT_NE(refused([](auto& o) { o.tune = "some"; }).find("some"), std::string::npos);
  EXPECT_NE(refused([](auto& o) { o.eval_data = ""; }).find("eval-data"), std::string::npos);
  EXPECT_NE(refused([](auto& o) { o.batch = 100000; }).find("100000"), std::string::npos);
}

// The command line of a run of 24 steps that saves every one.
std::string command(const Scene& scene, const std::string& out) {
  return "finetune " + scene.toy() + " --scheme w8a8-static --calib " + scene.calib() + " --data " +
         scene.train() + " --eval-data " + scene.valid() +
         " --length 48 --batch 4 --eval-samples 8 --steps 24 --warmup 4 --lr 1e-3 --eval-every 6 "
         "--save-every 1 --min-kl 0 --accumulate 2 --ema 0.9 --deterministic --out " +
         out;
}

int64_t steps_done(const std::string& state) {
  if (!std::filesystem::exists(state)) return -1;
  const SafetensorsFile file(state);
  return nlohmann::json::parse(file.metadata().at("octet-train-state"))["step"];
}

TEST(Finetune, GoesOnAfterSigkillWithTheSameBits) {
  Scene scene;
  const std::string whole = scene.folder / "whole", killed = scene.folder / "killed";
  const Output undisturbed = octet_cli(command(scene, whole));
  ASSERT_EQ(undisturbed.code, 0) << undisturbed.text;
  const std::string state = killed + ".partial/" + kTrainState;
  int kills = 0;
  for (const int64_t target : {3, 11}) {
    const pid_t child = fork();
    if (child == 0) {
      execl("/bin/sh", "sh", "-c",
            ("exec " + octet_binary() + " " + command(scene, killed) + " --quiet >/dev/null 2>&1")
                .c_str(),
            nullptr);
      _exit(127);
    }
    for (int wait = 0; wait < 2000 && steps_done(state) < target; ++wait) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    kills += WIFSIGNALED(status) ? 1 : 0;
    ASSERT_FALSE(std::filesystem::exists(killed)) << "killed too late to prove anything";
  }
  EXPECT_EQ(kills, 2);
  const Output resumed = octet_cli(command(scene, killed) + " --json", false);
  ASSERT_EQ(resumed.code, 0) << resumed.text;
  EXPECT_EQ(testing::get(killed + "/model.safetensors"),
            testing::get(whole + "/model.safetensors"));
  nlohmann::json a = read_json(whole + "/octet-finetune.json"),
                 b = read_json(killed + "/octet-finetune.json");
  for (const char* part : {"train", "eval", "best"}) EXPECT_EQ(a[part], b[part]) << part;
}

}  // namespace
}  // namespace octet::test
