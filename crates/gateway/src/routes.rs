//! The one way a route comes into being: with its document and its policy, or not at all.

use crate::{
    House,
    policy::{Policy, enforce},
    problem::ProblemBody,
};
use axum::{Router, extract::Request, middleware, middleware::Next};
use std::sync::Arc;
use utoipa::{
    OpenApi as _, PartialSchema as _,
    openapi::{
        Components, OpenApi, RefOr,
        content::ContentBuilder,
        path::Operation,
        response::ResponseBuilder,
        schema::Ref,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

/// One line of the table of routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub method: &'static str,
    pub path: String,
    pub policy: Policy,
}

pub struct Routes {
    router: OpenApiRouter<Arc<House>>,
    table: Vec<Entry>,
}

#[derive(utoipa::OpenApi)]
#[openapi(info(
    title = "Loge",
    description = "The HTTP API of a Loge house. Errors are `application/problem+json` with a `code` from a closed list.",
    license(name = "MIT OR Apache-2.0")
))]
struct Head;

impl Routes {
    pub fn new() -> Self {
        let mut head = Head::openapi();
        head.info.version = env!("CARGO_PKG_VERSION").into();
        let components = head.components.get_or_insert_with(Components::new);
        components.schemas.insert("Problem".into(), ProblemBody::schema());
        components.schemas.insert("FieldProblem".into(), crate::problem::FieldProblem::schema());
        components.schemas.insert("Preparing".into(), crate::problem::PreparingBody::schema());
        components.add_security_scheme(
            "access_token",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build()),
        );
        components.add_security_scheme(
            "view_cookie",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(crate::cookies::VIEW))),
        );
        components.add_security_scheme(
            "refresh_cookie",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(crate::cookies::REFRESH))),
        );
        Self { router: OpenApiRouter::with_openapi(head), table: Vec::new() }
    }

    /// Registers the handlers of one path under one policy.
    #[must_use]
    pub fn add(mut self, policy: Policy, routes: UtoipaMethodRouter<Arc<House>>) -> Self {
        let (schemas, mut paths, methods) = routes;
        for (path, item) in &mut paths.paths {
            for (method, operation) in [
                ("GET", &mut item.get),
                ("HEAD", &mut item.head),
                ("POST", &mut item.post),
                ("PUT", &mut item.put),
                ("PATCH", &mut item.patch),
                ("DELETE", &mut item.delete),
            ] {
                if let Some(operation) = operation {
                    describe(policy, operation);
                    self.table.push(Entry { method, path: path.clone(), policy });
                }
            }
        }
        let guarded =
            methods.layer(middleware::from_fn(move |request: Request, next: Next| enforce(policy, request, next)));
        self.router = self.router.routes((schemas, paths, guarded));
        self
    }

    pub fn table(&self) -> &[Entry] {
        &self.table
    }

    pub fn split(self) -> (Router<Arc<House>>, OpenApi, Vec<Entry>) {
        let (router, document) = self.router.split_for_parts();
        (router, document, self.table)
    }
}

impl Default for Routes {
    fn default() -> Self {
        Self::new()
    }
}

/// What every operation says because of its policy.
fn describe(policy: Policy, operation: &mut Operation) {
    let none: [&str; 0] = [];
    operation.security = match policy {
        Policy::Anonymous | Policy::Ticket => Some(vec![SecurityRequirement::default()]),
        Policy::Session | Policy::Admin | Policy::Scrape => Some(vec![SecurityRequirement::new("access_token", none)]),
        Policy::RefreshCookie => Some(vec![SecurityRequirement::new("refresh_cookie", none)]),
        Policy::Image => {
            Some(vec![SecurityRequirement::new("access_token", none), SecurityRequirement::new("view_cookie", none)])
        }
    };
    let problem = ResponseBuilder::new()
        .description("Refused; the code says why.")
        .content(
            "application/problem+json",
            ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name("Problem")))).build(),
        )
        .build();
    operation.responses.responses.entry("default".into()).or_insert(RefOr::T(problem));
}
