//! Rollouts of two tiny models within a KL budget, and the loss where they wrote.
//!
//! The models are tables: the logits of the next token depend on the last one alone. The teacher counts from 0 to 9 and
//! ends; the student has forgotten how.

use trb::{
    BoxError, Context, Error, LogitsMut, Model, Query, RolloutOptions, Rollouts, Texts, TrainOptions, TrainOutputs,
};

const VOCAB: usize = 11;
const END: usize = 10;

/// `[last token][next token]`.
struct Table([[f32; VOCAB]; VOCAB]);

impl Model for Table {
    fn vocab(&self) -> usize {
        VOCAB
    }

    fn forward(&mut self, queries: &[Query], out: &mut LogitsMut) -> Result<(), BoxError> {
        let mut row = 0;
        for query in queries {
            let tokens = query.tokens();
            for &token in &tokens[tokens.len() - query.rows()..] {
                out.row(row).copy_from_slice(&self.0[token as usize]);
                row += 1;
            }
        }
        Ok(())
    }
}

fn main() -> Result<(), Error> {
    let (mut student, mut teacher) = (Table([[0.0; VOCAB]; VOCAB]), Table([[0.0; VOCAB]; VOCAB]));
    for a in 0..VOCAB {
        teacher.0[a][END.min(a + 1)] = 6.0;
        student.0[a][(a * 7) % VOCAB] = 1.0;
    }
    let mut ctx = Context::new()?;
    let prompts = Texts { tokens: &[0], offset: &[0, 1] };
    for budget in [0.0, 0.1, 1.0] {
        let options = RolloutOptions { budget, stop: &[END as i64], max_tokens: 12, repeats: 16, ..Default::default() };
        let mut rollouts = Rollouts::default();
        ctx.rollout(Some(&mut student), Some(&mut teacher), &prompts, &options, &mut rollouts)?;

        let evaluate = TrainOptions { evaluate: true, ..Default::default() };
        let mut step = TrainOutputs::default();
        ctx.train_step(&mut student, Some(&mut teacher), &rollouts, &evaluate, &mut step)?;
        let beta = ctx.totals(&rollouts)?.beta;
        println!(
            "budget {:.1}: beta {:.3}, KL(p||q) {:.3}, first text {:?}",
            budget,
            beta,
            step.report.loss,
            rollouts.text(0)
        );
    }
    Ok(())
}
