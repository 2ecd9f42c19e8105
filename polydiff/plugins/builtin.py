"""What the engine registers itself, through the hooks that every plugin uses."""

from __future__ import annotations

from collections.abc import Iterable

from polydiff.plugins.hookspecs import hookimpl
from polydiff.plugins.specs import (
    CheckSpec,
    CodecSpec,
    CommandSpec,
    ConditionerSpec,
    DistillationSpec,
    EncoderSpec,
    GuidanceSpec,
    MetricSpec,
    ObjectiveSpec,
    ReconstructionSpec,
    SamplerSpec,
    ScheduleSpec,
    TimesSpec,
    WeightingSpec,
)


@hookimpl
def polydiff_schedules() -> Iterable[ScheduleSpec]:
    """Give the engine's schedules."""
    return (
        ScheduleSpec("linear", "polydiff.core.schedule:Linear", "variance preserving, linear beta"),
        ScheduleSpec("cosine", "polydiff.core.schedule:Cosine", "variance preserving, cosine alpha"),
        ScheduleSpec("sigmoid", "polydiff.core.schedule:Sigmoid", "variance preserving, sigmoid alpha"),
        ScheduleSpec("edm", "polydiff.core.schedule:EDM", "variance exploding, sigma 0.002 to 80"),
        ScheduleSpec("flow", "polydiff.core.schedule:Flow", "straight lines: alpha = 1 - t, sigma = t"),
        ScheduleSpec(
            "discrete",
            "polydiff.core.discrete:Discrete",
            "a table of betas or of alphas_cumprod",
            example="polydiff.verification.known:discrete",
        ),
        ScheduleSpec(
            "shifted",
            "polydiff.core.schedule:Shifted",
            "another schedule for data scaled by b",
            example="polydiff.verification.known:shifted",
        ),
    )


@hookimpl
def polydiff_samplers() -> Iterable[SamplerSpec]:
    """Give the engine's samplers."""
    return (
        SamplerSpec("ddpm", "polydiff.sampling.ddpm:DDPM", "ancestral sampling", order=1, stochastic=True),
        SamplerSpec("ddim", "polydiff.sampling.ddim:DDIM", "deterministic, or stochastic by eta", order=1),
        SamplerSpec("euler", "polydiff.sampling.ddim:DDIM", "Euler's method on EDM's ODE: the same as ddim", order=1),
        SamplerSpec(
            "euler-ancestral", "polydiff.sampling.euler_ancestral:EulerAncestral", "ddim with noise", stochastic=True
        ),
        SamplerSpec("heun", "polydiff.sampling.heun:Heun", "EDM's method, with churn by s_churn", order=2),
        SamplerSpec("dpm-solver-2", "polydiff.sampling.dpm_solver_2:DPMSolver2", "single step, 2 evaluations", order=2),
        SamplerSpec("dpm-solver-3", "polydiff.sampling.dpm_solver_3:DPMSolver3", "single step, 3 evaluations", order=3),
        SamplerSpec("dpm++2s", "polydiff.sampling.dpmpp_2s:DPMpp2S", "single step, 2 evaluations", order=2),
        SamplerSpec("dpm++2m", "polydiff.sampling.dpmpp_2m:DPMpp2M", "two-step multistep method", order=2),
        SamplerSpec("dpm++3m", "polydiff.sampling.dpmpp_3m:DPMpp3M", "three-step multistep method", order=3),
        SamplerSpec(
            "dpm++2m-sde", "polydiff.sampling.dpmpp_2m_sde:DPMpp2MSDE", "dpm++2m with noise", order=2, stochastic=True
        ),
        SamplerSpec("unipc", "polydiff.sampling.unipc:UniPC", "predictor and corrector, 1 evaluation", order=3),
        SamplerSpec("deis", "polydiff.sampling.deis:DEIS", "multistep, exact integrals of polynomials", order=3),
        SamplerSpec("lms", "polydiff.sampling.lms:LMS", "multistep, deis in the noise level", order=4),
        SamplerSpec("ipndm", "polydiff.sampling.ipndm:IPNDM", "pseudo linear multistep", order=2),
        SamplerSpec("plms", "polydiff.sampling.plms:PLMS", "pseudo linear multistep, Runge-Kutta start", order=2),
        SamplerSpec("er-sde", "polydiff.sampling.er_sde:ERSDE", "multistep, noise to choose", order=3, stochastic=True),
        SamplerSpec("restart", "polydiff.sampling.restart:Restart", "heun, back and again", order=2, stochastic=True),
        SamplerSpec("dpm-adaptive", "polydiff.sampling.dpm_adaptive:DPMAdaptive", "steps by a tolerance", order=0),
        SamplerSpec("flow-map", "polydiff.sampling.flow_map:FlowMap", "jumps, for flow maps", order=0),
        SamplerSpec(
            "consistency",
            "polydiff.sampling.consistency:Consistency",
            "multistep, for consistency models",
            order=0,
            stochastic=True,
        ),
    )


@hookimpl
def polydiff_guidances() -> Iterable[GuidanceSpec]:
    """Give the engine's guidances."""
    return (
        GuidanceSpec("cfg", "polydiff.guidance.cfg:ClassifierFree", "classifier-free guidance", neutral={"scale": 1.0}),
        GuidanceSpec(
            "cfg++", "polydiff.guidance.cfgpp:ClassifierFreePP", "cfg with unconditional noise", neutral={"scale": 1.0}
        ),
        GuidanceSpec(
            "cfg-zero*",
            "polydiff.guidance.cfg_zero:ClassifierFreeZeroStar",
            "cfg on rescaled velocities",
            neutral={"scale": 1.0, "zero_steps": 0},
        ),
        GuidanceSpec(
            "apg", "polydiff.guidance.apg:AdaptiveProjected", "cfg without oversaturation", neutral={"scale": 1.0}
        ),
        GuidanceSpec(
            "composed",
            "polydiff.guidance.composed:Composed",
            "cfg with a scale for each condition",
            neutral={"scale": 1.0, "scales": None},
            apart=True,
        ),
        GuidanceSpec(
            "autoguidance",
            "polydiff.guidance.autoguidance:Autoguidance",
            "away from a weaker model",
            neutral={"scale": 1.0},
            by_condition=False,
            needs="weaker",
        ),
        GuidanceSpec(
            "perturbed-attention",
            "polydiff.guidance.perturbed_attention:PerturbedAttention",
            "away from the network without self-attention",
            neutral={"scale": 1.0},
            by_condition=False,
            needs="attention",
        ),
        GuidanceSpec(
            "classifier",
            "polydiff.guidance.classifier:Classifier",
            "a classifier's gradient",
            neutral={"scale": 0.0},
            by_condition=False,
            needs="classifier",
        ),
        GuidanceSpec(
            "energy",
            "polydiff.guidance.energy:Energy",
            "any score's gradient",
            neutral={"scale": 0.0},
            by_condition=False,
            needs="score",
        ),
        GuidanceSpec(
            "pair",
            "polydiff.model.pair_guidance:PairGuidance",
            "towards what a contrastive pair finds to fit a text",
            neutral={"scale": 0.0},
            by_condition=False,
            needs="files",
        ),
    )


@hookimpl
def polydiff_conditioners() -> Iterable[ConditionerSpec]:
    """Give the engine's conditioners."""
    return (
        ConditionerSpec("class", "polydiff.conditioning.class_label:ClassLabel", "one class among several"),
        ConditionerSpec("multi-label", "polydiff.conditioning.multi_label:MultiLabel", "any number of classes"),
        ConditionerSpec("vector", "polydiff.conditioning.vector:Vector", "numbers, standardised"),
        ConditionerSpec(
            "tensor", "polydiff.conditioning.tensor:TensorInput", "a content of the same kind, as channels"
        ),
        ConditionerSpec("text", "polydiff.conditioning.text:Text", "texts of any language, trained jointly"),
        ConditionerSpec(
            "text-pretrained",
            "polydiff.conditioning.text_pretrained:TextPretrained",
            "texts by a frozen encoder of transformers",
        ),
        ConditionerSpec(
            "guidance-scale", "polydiff.conditioning.guidance_scale:GuidanceScale", "how much a student is guided"
        ),
    )


@hookimpl
def polydiff_encoders() -> Iterable[EncoderSpec]:
    """Give the engine's encoders, which know shapes and no modality."""
    return (
        EncoderSpec("grid", "polydiff.nn.grid_encoder:GridEncoder", "convolutions: pictures, sounds, volumes"),
        EncoderSpec("set", "polydiff.nn.set_encoder:SetEncoder", "the elements in any order: point clouds"),
    )


@hookimpl
def polydiff_objectives() -> Iterable[ObjectiveSpec]:
    """Give the engine's distributions of training times, weightings and ways to distil."""
    return (
        TimesSpec("uniform", "polydiff.training.times:Uniform", "uniform in time"),
        TimesSpec("logit-normal", "polydiff.training.times:LogitNormal", "logit of the time is normal"),
        TimesSpec("log-snr-normal", "polydiff.training.times:LogSNRNormal", "log-SNR is normal"),
        WeightingSpec("constant", "polydiff.training.weighting:Constant", "the prediction's own error"),
        WeightingSpec("min-snr", "polydiff.training.weighting:MinSNR", "SNR, cut off above"),
        WeightingSpec("edm", "polydiff.training.weighting:EDM", "unit weight on EDM's preconditioned output"),
        WeightingSpec("sigmoid", "polydiff.training.weighting:Sigmoid", "sigmoid of the log-SNR"),
        ReconstructionSpec("l1", "polydiff.training.reconstruction:L1", "mean absolute difference"),
        ReconstructionSpec("l2", "polydiff.training.reconstruction:L2", "mean squared difference"),
        ReconstructionSpec("adversarial", "polydiff.training.adversarial:Adversarial", "to pass for real"),
        WeightingSpec("truncated-snr", "polydiff.training.weighting:TruncatedSNR", "SNR, never below 1"),
        DistillationSpec("match", "polydiff.distillation.match:Match", "the teacher's estimate in one evaluation"),
        DistillationSpec(
            "progressive", "polydiff.distillation.progressive:Progressive", "several of the teacher's steps in one"
        ),
        DistillationSpec("consistency", "polydiff.distillation.consistency:Consistency", "the end of the trajectory"),
        DistillationSpec("flow-map", "polydiff.distillation.flow_map:FlowMap", "jumps to wherever a step is to end"),
    )


@hookimpl
def polydiff_codecs() -> Iterable[CodecSpec]:
    """Give the codec of what a codec recipe has trained."""
    return (CodecSpec("latent", "polydiff.model.latent:Latent", "the latents of a trained autoencoder"),)


@hookimpl
def polydiff_metrics() -> Iterable[MetricSpec]:
    """Give the engine's metrics."""
    return (MetricSpec("kernel-mmd", "polydiff.metrics.mmd:kernel_mmd2", "unbiased kernel MMD^2"),)


@hookimpl
def polydiff_commands() -> Iterable[CommandSpec]:
    """Give the engine's commands, in the order of `polydiff --help`."""
    return (
        CommandSpec("train", "polydiff.cli.train:train", "Train a model from a recipe or a preset."),
        CommandSpec("generate", "polydiff.cli.generate:generate", "Generate files from a trained model."),
        CommandSpec("grid", "polydiff.cli.grid:grid", "Draw prompts against guidance, as one sheet."),
        CommandSpec("embed", "polydiff.cli.embed:embed", "Make vectors of contents and texts, and find the nearest."),
        CommandSpec("align", "polydiff.cli.align:align", "Measure how well contents fit their captions."),
        CommandSpec("distill", "polydiff.cli.distill:distill", "Make a model that needs fewer evaluations."),
        CommandSpec("data", "polydiff.cli.data:data", "Check what a model is to be trained on."),
        CommandSpec("bench", "polydiff.cli.bench:bench", "Compare samplers and time grids on a trained model."),
        CommandSpec("tune-grid", "polydiff.cli.tune_grid:tune_grid", "Tune a trained model's time grid."),
        CommandSpec("verify", "polydiff.cli.verify:verify", "Hold schedules, samplers and guidances to their claims."),
        CommandSpec("presets", "polydiff.cli.presets:presets", "List the recipes that plugins ship."),
        CommandSpec("plugins", "polydiff.cli.plugins:plugins", "List the plugins and what they register."),
        CommandSpec("doctor", "polydiff.cli.doctor:doctor", "Check this installation and say what is wrong."),
        CommandSpec("new-plugin", "polydiff.cli.new_plugin:new_plugin", "Write a new, working plugin."),
    )


@hookimpl
def polydiff_checks() -> Iterable[CheckSpec]:
    """Give the engine's own checks."""
    return (
        CheckSpec("python", "polydiff.cli.checks:python", "interpreter"),
        CheckSpec("torch", "polydiff.cli.checks:torch", "version, devices and threads"),
        CheckSpec("attention", "polydiff.cli.checks:attention", "backends that work here"),
        CheckSpec("disk", "polydiff.cli.checks:disk", "space where runs go"),
    )
