// `octet train`: a toy learns from random values, and two processes are one with twice the batch.
#include "finetune/train_model.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "eval/evaluate.h"
#include "models/source_model.h"
#include "tests/core/support.h"
#include "tests/environment.h"
#include "tests/tools/support.h"
#include "tests/tools/toy_directory.h"

namespace octet::test {
namespace {

struct Text {
  Text() {
    write_toy(folder / "toy");
    const std::string text = testing::get(english());
    testing::put(folder / "train.txt", text.substr(0, 20000));
    testing::put(folder / "valid.txt", text.substr(20000, 4000));
  }
  std::string arguments() const {
    return (folder / "toy").string() + " --data " + (folder / "train.txt").string() +
           " --eval-data " + (folder / "valid.txt").string() +
           " --length 48 --eval-samples 8 --steps 12 --eval-every 6 --warmup 3 --lr 3e-3 ";
  }
  nlohmann::json curve(const std::string& out) const {
    return read_json((folder / out / "octet-train.json").string());
  }
  testing::TempDir folder;
};

TEST(Train, LearnsFromRandomValuesAndWritesAModel) {
  const Text text;
  Log log(true);
  StopToken stop;
  Context context{log, stop, "cpu", 0};
  TrainModelOptions options;
  options.model = text.folder / "toy", options.out = text.folder / "out";
  std::filesystem::remove(options.model + "/model.safetensors");
  options.data = text.folder / "train.txt", options.eval_data = text.folder / "valid.txt";
  options.length = 48, options.eval_samples = 16;
  options.trainer.steps = 60, options.trainer.warmup = 5, options.trainer.eval_every = 30;
  options.trainer.lr = 1e-2, options.trainer.label_smoothing = 0.05;
  const FinetuneResult result = train_model(SourceModel(options.model), options, {}, context);
  EXPECT_NEAR(result.training.eval[0].nll, std::log(256), 0.1) << "nothing is known at first";
  EXPECT_LT(result.training.eval[result.training.best].nll, 3.6) << result.verdict;
  EvalOptions eval;
  eval.model = options.out, eval.data = options.eval_data, eval.length = 48, eval.windows = 16;
  EXPECT_NEAR(std::log(evaluate(SourceModel(eval.model), eval, context).scores.perplexity),
              result.training.eval[result.training.best].nll, 2e-3);

  options.trainer.loss = "kl";
  EXPECT_THROW(train_model(SourceModel(options.model), options, {}, context), UsageError);
}

TEST(Train, GoesOnFromWeights) {
  const Text text;
  const Output out =
      octet_cli("train " + text.arguments() + "--init weights --batch 4 --json --out " +
                    (text.folder / "out").string(),
                false);
  ASSERT_EQ(out.code, 0) << out.text;
  const nlohmann::json training = nlohmann::json::parse(out.text)["training"];
  EXPECT_LT(training["best"]["nll"], training["eval"][0]["nll"]);
}

TEST(Train, PlanPrintsWhatIsNeeded) {
  const Text text;
  const Output out = octet_cli("train " + (text.folder / "toy").string() + " --plan --json", false);
  ASSERT_EQ(out.code, 0) << out.text;
  const nlohmann::json memory = nlohmann::json::parse(out.text)["memory"];
  const int64_t values = parameter_count(Llama(parse_config(toy_config_json(), "toy")).topology());
  EXPECT_EQ(memory["parts"]["gradients"], 4 * values);
  EXPECT_EQ(memory["parts"]["moments of AdamW"], 8 * values);
  EXPECT_LT(memory["checkpointed"], memory["whole"]);
}

// A TCP port that nothing listens on. The system hands out others before it gives this one again.
std::string free_port() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (listener < 0 || bind(listener, raw, size) != 0 || getsockname(listener, raw, &size) != 0) {
    throw std::runtime_error("no free port");
  }
  close(listener);
  return std::to_string(ntohs(address.sin_port));
}

TEST(Train, TwoProcessesAreOneWithTwiceTheBatch) {
  const Text text;
  const std::string one = text.folder / "one", two = text.folder / "two";
  const Output alone = octet_cli("train " + text.arguments() + "--batch 8 --out " + one);
  ASSERT_EQ(alone.code, 0) << alone.text;
  const std::string port = free_port();
  const auto command = [&](int rank) {
    return "RANK=" + std::to_string(rank) +
           " WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=" + port + " " + octet_binary() +
           " train " + text.arguments() + "--threads 1 --batch 4 --out " + two;
  };
  const Output both = shell("( " + command(1) + " & " + command(0) + "; wait $! )");
  ASSERT_EQ(both.code, 0) << both.text;
  const nlohmann::json a = text.curve("one"), b = text.curve("two");
  ASSERT_EQ(a["train"].size(), 12U);
  ASSERT_EQ(b["train"].size(), 12U);
  for (size_t i = 0; i < 12; ++i) {
    const double expected = a["train"][i]["loss"], got = b["train"][i]["loss"];
    EXPECT_NEAR(got, expected, 2e-5 * expected) << "step " << i + 1;
    EXPECT_NEAR(b["train"][i]["gradient_norm"].get<double>(),
                a["train"][i]["gradient_norm"].get<double>(), 1e-3);
  }
  EXPECT_NEAR(b["best"]["nll"].get<double>(), a["best"]["nll"].get<double>(), 1e-4);
}

// torchrun's agent holds the port itself.
TEST(TrainOracle, TorchrunStartsProcessesThatFindEachOther) {
  const Text text;
  const std::string one = text.folder / "one", two = text.folder / "two";
  const Output alone =
      octet_cli("train " + text.arguments() + "--batch 4 --accumulate 2 --out " + one);
  ASSERT_EQ(alone.code, 0) << alone.text;
  const Output both = shell(python_binary() +
                            " -m torch.distributed.run --no-python --nproc-per-node 2 "
                            "--master-port " +
                            free_port() + " " + octet_binary() + " train " + text.arguments() +
                            "--threads 1 --batch 4 --out " + two);
  ASSERT_EQ(both.code, 0) << both.text;
  const nlohmann::json a = text.curve("one"), b = text.curve("two");
  const double expected = a["train"][11]["loss"], got = b["train"][11]["loss"];
  EXPECT_NEAR(got, expected, 2e-5 * expected);
}

}  // namespace
}  // namespace octet::test
