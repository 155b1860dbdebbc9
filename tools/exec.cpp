// Programs that answer requests: one process each, its input and output by pipes.
#include "exec.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <utility>
#include <vector>

extern char** environ;

namespace tool {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTickMs = 20;  // between looks at a process that has closed its output

// -1, or a descriptor that is closed at the end.
struct Descriptor {
    explicit Descriptor(int from = -1) : fd(from) {}
    ~Descriptor() { close(); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    void close() {
        if (fd >= 0) ::close(fd);
        fd = -1;
    }
    int fd;
};

}  // namespace

Programs::Programs(std::string command, uint64_t most_output)
    : command_(std::move(command)), most_output_(most_output) {
    if (pipe2(stop_, O_CLOEXEC) != 0) throw sealwire::error(SW_ERR_DESCRIPTORS, "pipe");
}

void Programs::start(const sealwire::incoming& request) {
    static const char* const kTypes[] = {"bytes", "text", "json", "messagepack", "cbor"};
    auto thread = threads_.begin();
    for (auto job = jobs_.begin(); job != jobs_.end();) {  // those that have ended
        if (!job->over) {
            ++job, ++thread;
            continue;
        }
        thread->join();
        thread = threads_.erase(thread);
        job = jobs_.erase(job);
    }
    Job& job = jobs_.emplace_back();
    job.exchange = request.exchange();
    job.route = request.route();
    job.peer = request.id().text();
    job.type = kTypes[std::min<size_t>(request.type(), 4)];
    job.input = request.body();
    job.timeout_ms = request.timeout_ms();
    threads_.emplace_back([this, &job] {
        try {
            run(job);
        } catch (const std::exception&) {  // the requester has gone, or memory has
            sw_exchange_status(job.exchange.raw(), SW_CODE_HANDLER_FAILED, {});
        }
        job.over = true;
    });
}

void Programs::stop() {
    if (stop_[1] < 0) return;
    close(std::exchange(stop_[1], -1));  // which all threads see
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    jobs_.clear();
    close(std::exchange(stop_[0], -1));
}

namespace {

// Its standard input and output are the other ends; -1 when it cannot be started.
pid_t spawn(const std::string& command, const std::vector<std::string>& more, int input, int output) {
    std::vector<char*> environment;
    for (char** one = environ; *one; ++one) environment.push_back(*one);
    for (const std::string& one : more) environment.push_back(const_cast<char*>(one.c_str()));
    environment.push_back(nullptr);
    const char* const words[] = {"/bin/sh", "-c", command.c_str(), nullptr};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);  // so that what it starts can be killed with it
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    pid_t pid = -1;
    const int failed = posix_spawn(&pid, words[0], &files, &attributes, const_cast<char**>(words), environment.data());
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return failed ? -1 : pid;
}

}  // namespace

void Programs::run(Job& job) const {
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr);  // of a program that reads no input
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0) throw sealwire::error(SW_ERR_DESCRIPTORS, "pipe");
    Descriptor child_in(in[0]), to_child(in[1]);
    if (pipe2(out, O_CLOEXEC) != 0) throw sealwire::error(SW_ERR_DESCRIPTORS, "pipe");
    Descriptor from_child(out[0]), child_out(out[1]);
    fcntl(to_child.fd, F_SETFL, O_NONBLOCK);
    fcntl(from_child.fd, F_SETFL, O_NONBLOCK);
    const std::vector<std::string> more{"SEALWIRE_ROUTE=" + job.route, "SEALWIRE_PEER=" + job.peer,
                                        "SEALWIRE_TYPE=" + job.type};
    const pid_t pid = spawn(command_, more, child_in.fd, child_out.fd);
    if (pid < 0) throw sealwire::error(SW_ERR_SYSTEM, "posix_spawn");
    child_in.close();
    child_out.close();

    const Clock::time_point end = Clock::now() + std::chrono::milliseconds(job.timeout_ms);
    std::string output;
    size_t written = 0;
    int status = 0;
    bool whole = true, ended = false;
    while (!ended && whole) {
        if (written == job.input.size()) to_child.close();
        pollfd fds[] = {{stop_[0], POLLIN, 0}, {from_child.fd, POLLIN, 0}, {to_child.fd, POLLOUT, 0}};
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
        int wait = from_child.fd < 0 ? kTickMs : -1;  // its output is over: is it?
        if (job.timeout_ms != SW_NEVER) {
            whole = left > 0;
            wait = static_cast<int>(std::min<int64_t>(std::max<int64_t>(left, 0), wait < 0 ? 1'000'000 : wait));
        }
        poll(fds, 3, wait);
        if (fds[0].revents) whole = false;
        if (fds[2].revents) {
            const ssize_t size = write(to_child.fd, job.input.data() + written, job.input.size() - written);
            if (size > 0) written += static_cast<size_t>(size);
            else if (errno != EAGAIN && errno != EINTR) written = job.input.size();  // it reads no more
        }
        if (fds[1].revents) {
            char bytes[16 * 1024];
            const ssize_t size = read(from_child.fd, bytes, sizeof bytes);
            if (size > 0) output.append(bytes, static_cast<size_t>(size));
            else if (size == 0 || (errno != EAGAIN && errno != EINTR)) from_child.close();
            if (output.size() > most_output_) whole = false;
        }
        if (from_child.fd < 0) ended = waitpid(pid, &status, WNOHANG) == pid;
    }
    if (!ended) {
        kill(-pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    if (!whole || !WIFEXITED(status)) sw_exchange_status(job.exchange.raw(), SW_CODE_HANDLER_FAILED, {});
    else if (WEXITSTATUS(status) != 0) job.exchange.finish(64U + static_cast<unsigned>(WEXITSTATUS(status)));
    else job.exchange.reply(output);
}

}  // namespace tool
