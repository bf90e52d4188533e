"""The slow tests, by name: tests that take more than 2 s of CPU time, and files whose tests do together.

`pytest -m fast` leaves them out. test_slow.py fails for a name that is not a file or test under tests/.
"""

from __future__ import annotations

FILES = frozenset(
    (
        "writing/test_killed.py", "test_interrupted.py", "frontends/test_long_loops.py", "sim/test_long_steps.py",
        "bundle/test_check.py", "api/test_check.py", "api/test_check_random.py", "frontends/inspect/test_draft.py",
        "api/test_bench.py",
        "api/test_compiled.py", "api/test_junk.py", "api/test_spikes.py", "compiler/certify/test_certificate.py",
        "compiler/certify/test_rounding.py", "compiler/certify/test_ties.py", "compiler/image/test_codecs.py",
        "compiler/image/test_core_image.py", "compiler/image/test_synapse_lists.py",
        "compiler/neurons/test_mechanisms.py", "compiler/passes/test_pipeline.py",
        "compiler/passes/test_rounding_limits.py", "compiler/passes/test_split_fan_in.py", "compiler/test_advice.py",
        "compiler/mapper/cost/test_output_axons.py", "compiler/mapper/search/test_chip_first.py",
        "compiler/mapper/cost/test_core_cost.py", "compiler/mapper/crossbar/test_windows.py",
        "compiler/test_sparse_tiles.py", "compiler/mapper/regroup/test_placed.py",
        "compiler/test_fidelity_benchmark.py", "compiler/passes/test_choose_integers.py",
        "compiler/certify/test_conditional.py", "report/test_integers.py", "sim/test_adaptive_at_zero.py",
        "sim/test_calibration.py", "test_calibrate.py", "compiler/mapper/test_scale.py",
        "frontends/netyaml/test_combinations.py", "frontends/test_scale.py", "test_memory_need.py",
        "compiler/mapper/crossbar/test_local_search.py", "compiler/test_mapped.py", "compiler/mapper/test_partition.py",
        "compiler/mapper/placement/test_slots.py", "compiler/mapper/search/test_objectives.py",
        "compiler/mapper/packing/test_retile_search.py", "compiler/mapper/routing/test_routes.py",
        "examples/test_read_image.py", "export/c/test_equal.py", "export/c/test_memory.py", "export/test_exports.py",
        "export/test_nir.py", "frontends/files/test_hdf5.py",
        "frontends/files/test_pickle_reader.py", "frontends/modules/test_returned.py",
        "frontends/modules/test_spikingjelly.py", "api/test_readouts.py",
        "frontends/test_conformance.py", "frontends/test_every_framework.py", "frontends/test_fuzz.py",
        "frontends/test_shared_nets.py", "report/test_layout.py", "report/test_memory.py",
        "report/test_memory_benchmark.py", "report/test_rendering.py", "report/test_rendering_commands.py",
        "report/test_snapshots.py", "report/page/test_browser.py", "sim/cores/test_program.py",
        "sim/engine/test_kernels.py",
        "sim/engine/test_kernels_kept.py", "sim/engine/test_run.py", "sim/lava/test_child.py",
        "sim/lava/test_cores.py", "sim/lava/test_mapped.py", "sim/lava/test_memory.py", "sim/lava/test_processes.py",
        "sim/lava/test_sequential.py", "sim/lava/test_stand_alone.py",
        "sim/lava/test_stock_kinds.py", "sim/test_overflow.py",
        "report/energy/test_energy_benchmark.py", "sim/events/test_count.py",
        "sim/test_delayed_subtraction.py", "sim/test_relays.py", "sim/test_targets.py",
        "sim/verify/test_cover.py", "sim/verify/test_coverage.py", "sim/verify/test_driven.py",
        "sim/verify/test_ray.py", "sim/verify/test_threshold_margin.py", "sim/verify/test_verify.py", "test_api.py",
        "test_hostile_files.py", "files/test_door.py", "files/test_json_text.py", "files/test_npz.py",
        "test_bad_input.py", "test_bundle_bytes.py", "test_cli.py", "test_demo.py", "test_fingerprints.py",
        "api/test_conforming.py", "frontends/nir/test_traces.py",
        "test_oracle.py", "test_package.py", "test_progress.py", "test_what_if.py", "test_without_torch.py",
        "sim/reading/test_compare.py", "sim/lava/test_compat.py", "test_effort.py", "test_extras.py",
        "test_plugins.py", "frontends/test_load.py", "train/test_experiment.py", "train/test_seeds.py",
        "train/neurons/test_leaky_fused.py", "train/test_time.py", "train/test_families.py",
        "train/test_frameworks.py", "train/test_trainer.py", "train/test_training_bench.py",
        "train/chip/test_target.py", "train/chip/test_through.py", "train/algorithms/test_algorithms.py",
        "train/test_teachers.py",
        "docs/test_own_loop.py", "train/test_potentials.py", "train/uncertainty/test_ensembles.py",
        "train/uncertainty/test_judge.py", "train/test_ternarize_zoo.py",
        "docs/test_tutorials.py", "docs/test_readme.py", "docs/test_notebooks.py",
    )
)  # fmt: skip

TESTS = frozenset(
    (
        "compiler/mapper/regroup/test_groups.py::test_clusters_of_a_core_are_found_again_under_random_connections",
        "zoo/test_nets.py::test_the_integers_have_the_stated_accuracy_on_the_samples_that_are_at_hand",
        "train/neurons/test_plif.py::test_it_computes_what_spikingjellys_parametric_neuron_does",
        "docs/test_site.py::test_the_reference_of_functions_has_every_public_name",
        "prove/arithmetic/test_exhaustion.py::"
        "test_it_finds_a_difference_where_one_of_all_inputs_makes_one_and_proves_the_rest",
        "prove/arithmetic/test_induction.py::test_every_exact_population_of_drawn_networks_is_proven",
        "prove/arithmetic/test_induction.py::test_no_wrong_integer_is_proven_that_changes_a_spike_of_fractions",
        "prove/arithmetic/test_induction.py::test_relays_whose_parts_are_not_the_whole_are_found",
        "sim/verify/test_time_need.py::test_verify_says_it_on_the_command_line_in_one_line_and_runs_all_the_same",
        "sim/verify/test_worst.py::test_no_input_found_exceeds_the_bound_of_its_certificate",
        "compiler/ir/test_files.py::test_every_kind_of_node_comes_back_as_it_was",
        "compiler/passes/test_expand_pooling.py::test_the_neurons_of_a_window_share_an_axon_where_its_spikes_add_up",
        "frontends/record/test_record.py::test_each_framework_is_recorded_and_read_without_misreading",
        "compiler/mapper/tiling/test_joint_search.py::test_pooled_output_axons_are_fewer_and_no_box_has_more_than_its_share",
        "compiler/mapper/crossbar/test_joint_search.py::"
        "test_cores_are_filled_by_the_better_of_windows_chosen_together_and_one_by_one",
        "compiler/mapper/crossbar/test_joint_search.py::test_the_columns_that_are_counted_are_those_that_cores_hold",
        "compiler/mapper/crossbar/test_bound_contents.py::test_no_mapping_takes_fewer_cores_than_the_bound",
        "compiler/mapper/crossbar/test_bound_copies.py::test_no_windows_take_fewer_columns_than_the_bound",
        "compiler/mapper/crossbar/test_first_fit.py::test_each_segment_lies_on_the_first_core_of_its_kind_that_has_room",
        "compiler/mapper/crossbar/test_random.py::test_random_networks_on_random_crossbars_are_mapped_whole_and_spike_alike",
        "compiler/mapper/packing/test_merge_parts.py::test_joining_loses_no_neuron_and_takes_no_more_of_anything",
        "compiler/mapper/lower_bounds/test_totals.py::test_no_partition_of_a_small_network_takes_fewer_cores_than_the_bounds",
        "compiler/test_mapped_random.py::test_random_networks_on_random_targets_are_mapped_whole_and_spike_alike",
        "compiler/mapper/test_mapping_baselines.py::test_filling_of_crossbars_holds_every_neuron_and_its_copies",
        "compiler/target/test_rules.py::test_every_target_names_others_only_where_they_pass_the_rule",
        "compiler/target/test_rules.py::test_the_targets_that_a_refusal_names_execute_the_network_and_no_other_does",
        "frontends/files/test_checkpoint.py::"
        "test_a_pickled_module_of_the_authors_main_script_gives_its_tensors_and_runs_none_of_its_code",
        "frontends/files/test_checkpoint.py::test_shared_structure_cannot_explode",
        "frontends/netyaml/test_expressions.py::test_what_is_computed_is_what_torch_computes_bit_for_bit",
        "frontends/netyaml/test_kinds.py::test_other_values_anywhere_end_in_a_graph_or_one_line",
    )
)


def is_slow(name: str) -> bool:
    """Whether a test is slow. name: its node id below tests/, without parameters."""
    return name.partition("::")[0] in FILES or name in TESTS
