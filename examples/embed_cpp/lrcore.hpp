#pragma once // lrcore.hpp: a plan of lrcore.h that frees itself, and throws errors
#include <lrcore.h>
#include <memory>
#include <stdexcept>
#include <vector>

class plan {
  public:
    explicit plan(const char *rule) : rule_(lrc_rule_id(rule))
    {
        lrc_plan *made;
        if (lrc_plan_create(&made, lrc_heap()) < 0) throw std::bad_alloc();
        plan_.reset(made);
        checked(lrc_plan_add_group(get(), rule_));
    }
    // Step p, of float or double, by its gradient g; both stay where they are.
    template <class T> void add(std::vector<T> &p, std::vector<T> &g)
    {
        const int dtype = sizeof(T) == sizeof(float) ? LRC_F32 : LRC_F64;
        std::vector<void *> s(lrc_rule_n_states(rule_));
        for (void *&each : s) {
            states_.emplace_back(p.size()); // doubles have room for each type
            each = states_.back().data();
        }
        checked(lrc_plan_add_tensor(get(), 0, dtype, p.size(), p.data(), g.data(),
                                    s.data(), int(s.size())));
    }
    void hyper(const char *s, double x) { checked(lrc_plan_set_hyper(get(), 0, s, x)); }
    void option(const char *s, double x) { checked(lrc_plan_set_option(get(), s, x)); }
    bool step() { return checked(lrc_plan_step(get())) == LRC_TAKEN; } // false: skipped
    lrc_plan *get() const { return plan_.get(); } // for the other functions of lrcore.h
  private:
    int checked(int result) const
    {
        return result < 0 ? throw std::invalid_argument(lrc_plan_error(get())) : result;
    }
    int rule_;
    std::vector<std::vector<double>> states_;
    std::unique_ptr<lrc_plan, void (*)(lrc_plan *)> plan_{nullptr, lrc_plan_destroy};
};
