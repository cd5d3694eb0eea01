//! How the crate's own types stand in columns: ids and digests as bytes, times as integers, words as text.
//!
//! One implementation serves SQLite, PostgreSQL and the enum over both. This is what diesel's `AsExpression` and
//! `FromSqlRow` derives would write at each type; it stands here instead, so that `model` need not know diesel.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, Queryable};
use diesel::expression::AsExpression;
use diesel::internal::derives::as_expression::Bound;
use diesel::query_builder::QueryId;
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::{BigInt, Binary, Nullable, SingleValue, Text};

use crate::clock::Timestamp;
use crate::crypto::Digest;
use crate::model::*;

macro_rules! column {
    ($sql:ty: $($type:ty),+ $(,)?) => {$(
        impl AsExpression<$sql> for $type {
            type Expression = Bound<$sql, Self>;
            fn as_expression(self) -> Self::Expression { Bound::new(self) }
        }
        impl AsExpression<Nullable<$sql>> for $type {
            type Expression = Bound<Nullable<$sql>, Self>;
            fn as_expression(self) -> Self::Expression { Bound::new(self) }
        }
        impl<'e> AsExpression<$sql> for &'e $type {
            type Expression = Bound<$sql, Self>;
            fn as_expression(self) -> Self::Expression { Bound::new(self) }
        }
        impl<'e> AsExpression<Nullable<$sql>> for &'e $type {
            type Expression = Bound<Nullable<$sql>, Self>;
            fn as_expression(self) -> Self::Expression { Bound::new(self) }
        }
        impl<DB: Backend> ToSql<Nullable<$sql>, DB> for $type where Self: ToSql<$sql, DB> {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                ToSql::<$sql, DB>::to_sql(self, out)
            }
        }
        impl<DB: Backend, ST: SingleValue> Queryable<ST, DB> for $type where Self: FromSql<ST, DB> {
            type Row = Self;
            fn build(row: Self) -> deserialize::Result<Self> { Ok(row) }
        }
        impl QueryId for $type {
            type QueryId = $type;
            const HAS_STATIC_QUERY_ID: bool = true;
        }
    )+};
}

macro_rules! bytes {
    ($($type:ty),+ $(,)?) => {
        column!(Binary: $($type),+);
        $(
            impl<DB: Backend> ToSql<Binary, DB> for $type where [u8]: ToSql<Binary, DB> {
                fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                    <[u8] as ToSql<Binary, DB>>::to_sql(self.as_bytes().as_slice(), out)
                }
            }
            impl<DB: Backend> FromSql<Binary, DB> for $type where Vec<u8>: FromSql<Binary, DB> {
                fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
                    let bytes = Vec::<u8>::from_sql(bytes)?;
                    Self::from_bytes(&bytes).ok_or_else(|| concat!("not the bytes of a ", stringify!($type)).into())
                }
            }
        )+
    };
}

macro_rules! words {
    ($($type:ty),+ $(,)?) => {
        column!(Text: $($type),+);
        $(
            impl<DB: Backend> ToSql<Text, DB> for $type where str: ToSql<Text, DB> {
                fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                    <str as ToSql<Text, DB>>::to_sql(self.as_str(), out)
                }
            }
            impl<DB: Backend> FromSql<Text, DB> for $type where String: FromSql<Text, DB> {
                fn from_sql(text: DB::RawValue<'_>) -> deserialize::Result<Self> {
                    let text = String::from_sql(text)?;
                    Self::parse(&text).ok_or_else(|| format!("no {} is called {text}", stringify!($type)).into())
                }
            }
        )+
    };
}

bytes!(
    UserId,
    ClientKey,
    ClientSecretId,
    ResourceId,
    SessionId,
    GrantId,
    RequestId,
    FederatedIdentityId,
    AuditEventId,
    MessageId,
    PasskeyId,
    OrganisationId,
    WorkspaceId,
    RoleId,
    MembershipId,
    InvitationId,
    ApiKeyId,
    MachineId,
    Digest,
);

words!(
    Status,
    InstanceRole,
    ApplicationType,
    ClientAuthMethod,
    ClientValueKind,
    SigningAlg,
    AuthMethod,
    LinkPurpose,
    CeremonyPurpose,
    ProviderKind,
    ProviderValueKind,
    FirstSignIn,
    Topic,
    Standing,
    Outcome,
    UsageKind,
    RefusalKind
);

macro_rules! numbers {
    ($($type:ty),+ $(,)?) => {
        column!(BigInt: $($type),+);
        $(
            impl<DB: Backend> ToSql<BigInt, DB> for $type where i64: ToSql<BigInt, DB> {
                fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                    <i64 as ToSql<BigInt, DB>>::to_sql(&self.0, out)
                }
            }
            impl<DB: Backend> FromSql<BigInt, DB> for $type where i64: FromSql<BigInt, DB> {
                fn from_sql(number: DB::RawValue<'_>) -> deserialize::Result<Self> {
                    i64::from_sql(number).map(Self)
                }
            }
        )+
    };
}

numbers!(Timestamp, Place);
