// The `sealwire` command: finds the subcommand, reads its command line, runs it, explains what failed.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <string>

#include "command.h"
#include "named_file.h"
#include "output.h"

namespace tool {
namespace {

const Command* const kCommands[] = {&kKeygen, &kId,    &kNetwork, &kSecret, &kListen, &kSend,    &kRequest,
                                    &kCall,   &kPub,   &kSub,     &kHub,    &kPush,   &kReceive, &kStream,
                                    &kPing,   &kBench, &kDoctor,  &kDemo,   &kVersion};

const Command* find(std::string_view name) {
    for (const Command* command : kCommands) {
        if (command->name == name) return command;
    }
    return nullptr;
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

std::string padded(std::string_view text, size_t width) {
    std::string out(text);
    out.resize(out.size() < width ? width : out.size() + 1, ' ');
    return out;
}

int help() {
    print("sealwire: encrypted messages between programs that know each other by key\n\n");
    for (const Command* command : kCommands) {
        const std::string usage = std::string(command->name) + " " + std::string(command->arguments);
        print("  sealwire " + padded(usage, 40) + std::string(command->summary) + "\n");
    }
    print(
        "\n`sealwire help COMMAND` tells more. A first try, in two terminals:\n\n"
        "  sealwire listen tcp://127.0.0.1:0 --anyone --echo\n"
        "  sealwire request TICKET greet hello          (TICKET: what the first one printed)\n");
    return kDone;
}

int help_of(const Command& command) {
    print("sealwire " + std::string(command.name) + (command.arguments.empty() ? "" : " ") +
          std::string(command.arguments) + "\n\n");
    print(std::string(command.text) + "\n");
    if (!command.options.empty()) print("\nOptions:\n");
    for (const Option& option : command.options) {
        const std::string form =
            std::string(option.name) + (option.value.empty() ? "" : " ") + std::string(option.value);
        print("  " + padded(form, 27) + std::string(option.help) + "\n");
    }
    print(
        "\nExit status: 0 done, 1 failed, 2 wrong command line, 3 peer not reached, 4 key not allowed,\n"
        "5 connection lost, 6 deadline passed, 7 answered with an error, 8 key not usable, 130 interrupted.\n");
    return kDone;
}

std::string argument_words(std::string_view detail) {
    return sw_result_text(SW_ERR_ARG) + (detail.empty() ? "" : ": " + std::string(detail));
}

int run(int argc, char** argv) {
    std::vector<std::string> words(argv + 1, argv + argc);
    if (words.empty()) {
        help();
        return kUsage;
    }
    std::string name = words.front();
    words.erase(words.begin());
    if (name == "--version") name = "version";
    if (name == "help" || name == "--help" || name == "-h") {
        if (words.empty()) return help();
        const Command* command = find(words.front());
        return command ? help_of(*command) : explain_usage("there is no command '" + words.front() + "'", "");
    }
    const Command* command = find(name);
    if (!command) return explain_usage("there is no command '" + name + "'", "");
    for (const std::string& word : words) {
        if (word == "--") break;
        if (word == "--help" || word == "-h") return help_of(*command);
    }
    bool json = false;
    try {
        const Arguments arguments(command->options, words);
        json = arguments.json();
        return command->run(arguments);
    } catch (const UsageError& error) {
        return explain_usage(error.what(), name);
    } catch (const sealwire::error& error) {
        if (error.code() == SW_ERR_ARG) return explain_usage(argument_words(error.detail()), name);
        return explain_error(error, json);
    }
}

// A standard descriptor that was closed is none of the files opened next, which would be read or written in its place: one that fails
// stands there.
bool have_standard_descriptors() {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) return false;  // the lowest that is free
    }
    return true;
}

}  // namespace
}  // namespace tool

int main(int argc, char** argv) {
    if (!tool::have_standard_descriptors()) return tool::kFailed;
    try {
        const int status = tool::run(argc, argv);
        // Output that nobody got is not success.
        const int error = tool::output_error();
        if (std::fflush(stdout) == 0 && !std::ferror(stdout) && error == 0) return status;
        std::fprintf(stderr, "sealwire: the output could not be written%s\n", tool::system_words(error).c_str());
        return status == tool::kDone ? tool::kFailed : status;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "sealwire: %s\n", error.what());
        return tool::kFailed;
    }
}
