//! APIs that access tokens are for. Every change bumps the version that each node's cache watches.

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::prelude::*;

use super::schema::{resource_scopes, resources};
use super::{Conn, Error, upsert};
use crate::clock::Timestamp;
use crate::model::{Resource, ResourceId, Status, Topic};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = resources)]
struct Row {
    id: ResourceId,
    identifier: String,
    name: String,
    status: Status,
    access_ttl: Option<i64>,
    created_at: Timestamp,
}

pub fn insert(db: &mut Conn, resource: &Resource, now: Timestamp) -> Result<(), Error> {
    diesel::insert_into(resources::table)
        .values(Row {
            id: resource.id,
            identifier: resource.identifier.clone(),
            name: resource.name.clone(),
            status: resource.status,
            access_ttl: resource.access_ttl.map(seconds),
            created_at: now,
        })
        .execute(db)?;
    insert_scopes(db, resource)?;
    upsert::bump_version(db, Topic::Resources)?;
    Ok(())
}

/// Writes name, life and scopes as they are now.
pub fn update(db: &mut Conn, resource: &Resource) -> Result<(), Error> {
    let access_ttl = resource.access_ttl.map(seconds);
    diesel::update(resources::table.find(resource.id))
        .set((resources::name.eq(&resource.name), resources::access_ttl.eq(access_ttl)))
        .execute(db)?;
    diesel::delete(resource_scopes::table.filter(resource_scopes::resource_id.eq(resource.id)))
        .execute(db)?;
    insert_scopes(db, resource)?;
    upsert::bump_version(db, Topic::Resources)?;
    Ok(())
}

fn seconds(life: Duration) -> i64 {
    i64::try_from(life.as_secs()).unwrap_or(i64::MAX)
}

fn insert_scopes(db: &mut Conn, resource: &Resource) -> Result<(), Error> {
    for (scope, description) in &resource.scopes {
        diesel::insert_into(resource_scopes::table)
            .values((
                resource_scopes::resource_id.eq(resource.id),
                resource_scopes::scope.eq(scope),
                resource_scopes::description.eq(description),
            ))
            .execute(db)?;
    }
    Ok(())
}

pub fn set_status(db: &mut Conn, id: ResourceId, status: Status) -> Result<bool, Error> {
    let changed = diesel::update(resources::table.find(id)).set(resources::status.eq(status)).execute(db)?;
    upsert::bump_version(db, Topic::Resources)?;
    Ok(changed == 1)
}

pub fn remove(db: &mut Conn, id: ResourceId) -> Result<bool, Error> {
    let removed = diesel::delete(resources::table.find(id)).execute(db)?;
    upsert::bump_version(db, Topic::Resources)?;
    Ok(removed == 1)
}

/// All of them: an instance has tens, not thousands, and each node holds them in memory.
pub fn all(db: &mut Conn) -> Result<Vec<Resource>, Error> {
    let rows: Vec<Row> = resources::table.order(resources::id.asc()).select(Row::as_select()).load(db)?;
    let scopes: Vec<(ResourceId, String, String)> = resource_scopes::table
        .select((resource_scopes::resource_id, resource_scopes::scope, resource_scopes::description))
        .load(db)?;
    let mut by_resource: BTreeMap<ResourceId, BTreeMap<String, String>> = BTreeMap::new();
    for (id, scope, description) in scopes {
        by_resource.entry(id).or_default().insert(scope, description);
    }
    Ok(rows
        .into_iter()
        .map(|row| Resource {
            scopes: by_resource.remove(&row.id).unwrap_or_default(),
            id: row.id,
            identifier: row.identifier,
            name: row.name,
            status: row.status,
            access_ttl: row.access_ttl.map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
        })
        .collect())
}
