#include "tools/command.h"

int main(int argc, char** argv) {
  return octet::run_cli({argv + 1, argv + argc});
}
