#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <omp.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <thread>

#include "core/error.h"
#include "core/version.h"
#include "tools/command.h"

namespace octet {
namespace {

StopToken* active_stop = nullptr;  // signal handlers can reach nothing else

void on_signal(int) {
  if (active_stop != nullptr) active_stop->request();
}

void catch_signals(StopToken& stop) {
  active_stop = &stop;
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

// The command named by the first one or two words; `words` is how many they were.
std::unique_ptr<Command> find_command(const std::vector<std::string>& arguments, size_t& words) {
  for (auto& command : commands()) {
    const std::string two = arguments.size() > 1 ? arguments[0] + " " + arguments[1] : "";
    words = command->name() == two ? 2 : 1;
    if (command->name() == two || command->name() == arguments[0]) return std::move(command);
  }
  throw UsageError(fmt::format("command \"{}\"", arguments[0]), "a command of octet",
                   "see octet --help");
}

// Choices of GPU kernels are the user's, not a job's: they outlive both.
std::string gemm_file(const std::string& device) {
  if (device == "cpu") return "";
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  if (cache == nullptr && home == nullptr) return "";
  namespace fs = std::filesystem;
  const fs::path folder =
      (cache != nullptr ? fs::path(cache) : fs::path(home) / ".cache") / "octet";
  std::error_code failed;
  fs::create_directories(folder, failed);
  return failed ? "" : folder / "gemm.txt";
}

int dispatch(const std::vector<std::string>& arguments) {
  const bool bare = arguments.empty() || arguments[0] == "--help" || arguments[0] == "help";
  if (bare) {
    const bool markdown = arguments.size() > 1 && arguments[1] == "--markdown";
    std::fputs((markdown ? reference_markdown() : overview_text()).c_str(), stdout);
    return arguments.empty() ? 2 : 0;
  }
  if (arguments[0] == "--version") {
    fmt::print("octet {}\n", kVersion);
    return 0;
  }
  size_t words = 1;
  const auto command = find_command(arguments, words);
  CommonOptions common;
  parse_arguments(*command, common,
                  {arguments.begin() + static_cast<std::ptrdiff_t>(words), arguments.end()});
  if (common.help) {
    std::fputs(help_text(*command).c_str(), stdout);
    return 0;
  }
  if (common.threads < 0 || common.threads > 4096) {
    throw UsageError(fmt::format("--threads {}", common.threads), "0..4096",
                     "leave it out to use all cores");
  }
  const int threads = common.threads > 0 ? static_cast<int>(common.threads)
                                         : static_cast<int>(std::thread::hardware_concurrency());
  at::set_num_threads(threads);
  omp_set_num_threads(threads);
  Log log(common.quiet);
  StopToken stop;
  catch_signals(stop);
  Context context{log, stop, common.device, threads, gemm_file(common.device)};
  return command->run(common, context);
}

}  // namespace

int run_cli(const std::vector<std::string>& arguments) {
  Log log;
  try {
    return dispatch(arguments);
  } catch (const UsageError& e) {
    log.error(e.what());
    return 2;
  } catch (const Interrupted& e) {
    log.error(e.what());
    return 130;
  } catch (const Error& e) {
    log.error(e.what());
  } catch (const c10::Error& e) {
    log.error(fmt::format("found a failure in LibTorch: {}", e.what_without_backtrace()));
  } catch (const std::bad_alloc&) {
    log.error(
        "found too little memory; expected enough for the model; remedy: use a smaller model or "
        "batch");
  } catch (const std::exception& e) {
    log.error(fmt::format("found an unexpected failure: {}", e.what()));
  }
  return 1;
}

}  // namespace octet
