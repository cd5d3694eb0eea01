//! What a sign-in to a client would come to: the real rules, asked step by step about a person at an imagined browser who
//! does at each page what it is for. Nothing is stored, and nobody is signed in.

use std::sync::Arc;
use std::time::Duration;

use super::authorization::{organisations, remembered};
use crate::app::App;
use crate::clock::Timestamp;
use crate::identity::factor::Enrolled;
use crate::model::{AuthMethod, Client, OrganisationId, SessionId};
use crate::protocol::authorize::AuthorizationRequest;
use crate::protocol::next_step::{Allowed, NextStep, Progress, SessionView, next_step};
use crate::protocol::targets::{Registry, Target, targets};
use crate::protocol::{OAuthError, ScopeSet};
use crate::store::users::User;
use crate::store::{self, Conn, users};
use crate::tenancy::admission::{self, Refusal, Rules};
use crate::tenancy::membership;

/// The steps that a person takes at most: each page once, and some again after a sign-in.
const MOST: usize = 12;
/// How long ago somebody signed in who is signed in already.
const BEFORE: Duration = Duration::from_secs(120);

/// Who is at the imagined browser.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// Nobody in particular: then it ends at the sign-in page.
    pub user: Option<User>,
    /// Whether they are signed in already, by their password.
    pub is_signed_in: bool,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Login,
    Factor,
    Enrol,
    ChooseAccount,
    /// Between the organisations with these names.
    ChooseOrganisation(Vec<String>),
    Consent(Allowed),
    /// The user gets nothing, whatever they prove.
    NotAdmitted(Refusal),
    /// Back to the client with an error.
    Refuse(OAuthError),
    /// Back to the client with a code that is good for this.
    Issue(Issued),
}

/// What the code would be good for.
#[derive(Clone, Debug, PartialEq)]
pub struct Issued {
    pub scope: ScopeSet,
    /// Of the access token.
    pub target: Target,
    /// The organisation that the user would act for.
    pub organisation: Option<String>,
}

/// Tells what would happen with this request.
pub async fn rehearse(
    app: &App,
    client: &Client,
    request: &AuthorizationRequest,
    scene: Scene,
) -> Result<Vec<Step>, store::Error> {
    let (rules, now) = (Rules::of(&app.config), app.clock.now());
    let session = SessionId::new(now, &app.random);
    let resources = app.resources().await?;
    let issuer = app.config.issuer.as_str().to_owned();
    let (client, request) = (Arc::new(client.clone()), request.clone());
    app.db
        .read(move |db| {
            let person =
                scene.user.as_ref().map(|user| person(db, user, &client, session, rules)).transpose()?;
            let registry = Registry { issuer: &issuer, resources: &resources };
            let play = Play { request: &request, client: &client, registry, now };
            Ok(play.steps(person, scene.is_signed_in))
        })
        .await
}

/// What the rules look at.
struct Person {
    view: SessionView,
    admitted: Result<(), Refusal>,
    organisations: Vec<(OrganisationId, String)>,
}

fn person(
    db: &mut Conn,
    user: &User,
    client: &Client,
    session: SessionId,
    rules: Rules,
) -> Result<Person, store::Error> {
    let mut names: Vec<String> = user.username.iter().cloned().collect();
    names.extend(users::emails(db, user.id)?.into_iter().map(|email| email.folded));
    let called = membership::of_user(db, user.id)?
        .into_iter()
        .map(|one| (one.organisation.id, one.organisation.name))
        .collect();
    Ok(Person {
        view: SessionView {
            id: session,
            user: user.id,
            names,
            auth_time: Timestamp(0),
            methods: vec![AuthMethod::Password],
            has_factor: Enrolled::of(db, user.id)?.any(),
            required: admission::required_of(db, user, Some(client), rules)?,
            organisations: organisations(db, user, None, client, rules)?,
            remembered: remembered(db, user.id, client.key)?,
        },
        admitted: admission::admit_user(db, user.id)?.map(drop),
        organisations: called,
    })
}

struct Play<'a> {
    request: &'a AuthorizationRequest,
    client: &'a Client,
    registry: Registry<'a>,
    now: Timestamp,
}

impl Play<'_> {
    fn steps(&self, mut person: Option<Person>, is_signed_in: bool) -> Vec<Step> {
        let mut progress =
            Progress { created_at: self.now, chosen_session: None, consented: false, organisation: None };
        let mut is_here = false;
        if let Some(person) = person.as_mut().filter(|person| is_signed_in && person.admitted.is_ok()) {
            person.view.auth_time = self.now.minus(BEFORE);
            is_here = true;
        }
        let mut steps = Vec::new();
        while steps.len() < MOST {
            let views: Vec<SessionView> =
                person.iter().filter(|_| is_here).map(|person| person.view.clone()).collect();
            let step = next_step(self.request, self.client, &progress, &views, self.now);
            let (told, goes_on) = self.act(step, person.as_mut(), &mut progress, &mut is_here);
            steps.extend(told);
            if !goes_on {
                break;
            }
        }
        steps
    }

    /// The person does what the page is for. Says what happened, and whether it goes on.
    fn act(
        &self,
        step: NextStep,
        person: Option<&mut Person>,
        progress: &mut Progress,
        is_here: &mut bool,
    ) -> (Vec<Step>, bool) {
        let end = |step| (vec![step], false);
        let Some(person) = person else {
            return end(match step {
                NextStep::Refuse(error) => Step::Refuse(error),
                _ => Step::Login,
            });
        };
        match step {
            NextStep::Login { .. } => {
                if let Err(refusal) = person.admitted {
                    return (vec![Step::Login, Step::NotAdmitted(refusal)], false);
                }
                person.view.auth_time = self.now;
                person.view.methods = vec![AuthMethod::Password];
                progress.chosen_session = Some(person.view.id);
                *is_here = true;
                (vec![Step::Login], true)
            }
            NextStep::Factor { .. } => {
                person.view.methods.push(AuthMethod::OneTimePassword);
                (vec![Step::Factor], true)
            }
            NextStep::Enrol { .. } => {
                person.view.has_factor = true;
                person.view.methods.push(AuthMethod::OneTimePassword);
                (vec![Step::Enrol], true)
            }
            NextStep::ChooseAccount => {
                progress.chosen_session = Some(person.view.id);
                (vec![Step::ChooseAccount], true)
            }
            NextStep::ChooseOrganisation { .. } => {
                progress.chosen_session = Some(person.view.id);
                progress.organisation = person.view.organisations.first().map(|organisation| organisation.id);
                let names = person.organisations.iter().map(|(_, name)| name.clone()).collect();
                (vec![Step::ChooseOrganisation(names)], true)
            }
            NextStep::Consent { missing, .. } => {
                progress.chosen_session = Some(person.view.id);
                progress.consented = true;
                (vec![Step::Consent(missing)], true)
            }
            NextStep::Refuse(error) => end(Step::Refuse(error)),
            NextStep::Issue { organisation, .. } => {
                match targets(&self.request.scope, &self.request.resources, &self.registry) {
                    Ok(target) => {
                        let of = |wanted| person.organisations.iter().find(|(id, _)| *id == wanted);
                        end(Step::Issue(Issued {
                            scope: self.request.scope.clone(),
                            target,
                            organisation: organisation.and_then(of).map(|(_, name)| name.clone()),
                        }))
                    }
                    Err(error) => end(Step::Refuse(error)),
                }
            }
        }
    }
}
