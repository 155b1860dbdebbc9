// What happened at a node of the C++ tests, line by line, for whoever waits for it.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

// What happened at a node, in its order.
class Book {
public:
    using Lines = std::vector<std::string>;

    void put(std::string line) {
        const std::lock_guard<std::mutex> lock(mutex_);
        lines_.push_back(std::move(line));
        changed_.notify_all();
    }
    // All lines once there are so many, or after half a minute.
    Lines wait(size_t count) {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait_for(lock, std::chrono::seconds(30), [&] { return lines_.size() >= count; });
        return lines_;
    }
    // The same for a line; false: it did not come.
    bool has(const std::string& line) {
        std::unique_lock<std::mutex> lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(30),
                                 [&] { return std::find(lines_.begin(), lines_.end(), line) != lines_.end(); });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    Lines lines_;
};
