//! The API's document, made from the routes themselves.

use utoipa::openapi::OpenApi;

/// As JSON, for `loge-server openapi` and for `/api/openapi.json`.
pub fn document() -> String {
    let (_, document, _) = crate::api::all().split();
    to_json(&document)
}

pub(crate) fn to_json(document: &OpenApi) -> String {
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn every_route_is_in_the_document_and_the_other_way_round() {
        let (_, document, table) = crate::api::all().split();
        let routes: BTreeSet<(String, String)> = table.iter().map(|e| (e.method.to_string(), e.path.clone())).collect();
        assert_eq!(routes.len(), table.len(), "no route twice");
        let json: serde_json::Value = serde_json::from_str(&super::to_json(&document)).unwrap();
        let mut told = BTreeSet::new();
        for (path, item) in json["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if ["get", "put", "post", "delete", "patch", "head"].contains(&method.as_str()) {
                    told.insert((method.to_uppercase(), path.clone()));
                    assert!(operation["summary"].is_string(), "{method} {path} says what it does");
                    assert!(operation["responses"]["default"].is_object(), "{method} {path} can be refused");
                }
            }
        }
        assert_eq!(routes, told);
    }

    #[test]
    fn every_schema_that_is_named_exists() {
        let json: serde_json::Value = serde_json::from_str(&super::document()).unwrap();
        let schemas = json["components"]["schemas"].as_object().unwrap();
        let mut open = vec![&json];
        while let Some(value) = open.pop() {
            match value {
                serde_json::Value::Object(fields) => {
                    if let Some(name) = fields.get("$ref").and_then(|v| v.as_str()) {
                        let name = name.trim_start_matches("#/components/schemas/");
                        assert!(schemas.contains_key(name), "{name} is named and missing");
                    }
                    open.extend(fields.values());
                }
                serde_json::Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
    }
}
